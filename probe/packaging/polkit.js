// The probe may ask ModemManager for signal values and cells; it may not connect, send messages or unlock a SIM.
polkit.addRule(function (action, subject) {
    var allowed = ["org.freedesktop.ModemManager1.Device.Control", "org.freedesktop.ModemManager1.Location"];
    if (subject.user == "haidang" && allowed.indexOf(action.id) >= 0) {
        return polkit.Result.YES;
    }
});
