"""The columns of G-NetTrack Pro exports by version of the app, its words, and what a file leaves unsaid."""

from __future__ import annotations

from measurement.vocabulary import Technology

# Names of one column in the versions of the app, first found first taken.
ALIASES: dict[str, tuple[str, ...]] = {
    "technology": ("NetworkTech", "NetworkMode"),
    "rsrp": ("Level", "RSRP"),
    "rsrq": ("Qual", "RSRQ"),
    "sinr": ("SNR",),
    "rssi": ("LTERSSI", "RSSI"),
    "cqi": ("CQI",),
    "arfcn": ("ARFCN",),
    "pci": ("PSC", "PCI"),
    "tac": ("LAC",),
    "tac_hex": ("LACHEX",),
    "node": ("Node",),
    "cell": ("CellID",),
    "raw_cell": ("RAWCELLID",),
    "ta": ("TA",),
    "band": ("BAND",),
    "operator": ("Operatorname",),
    "plmn": ("Operator", "MCCMNC"),
    "speed_kmh": ("Speed",),
    "altitude": ("Altitude",),
    "accuracy": ("Accuracy",),
    "state": ("State",),
    "downlink_kbps": ("DL_bitrate",),
    "uplink_kbps": ("UL_bitrate",),
    "ping_mean": ("PINGAVG",),
    "ping_min": ("PINGMIN",),
    "ping_loss": ("PINGLOSS",),
    "test_downlink_kbps": ("TESTDOWNLINK",),
    "test_uplink_kbps": ("TESTUPLINK",),
}
TECHNOLOGIES: dict[str, Technology] = {
    **dict.fromkeys(("4G", "LTE", "LTE+", "LTE_CA"), Technology.LTE),
    **dict.fromkeys(("5G", "5G NSA", "5G_NSA", "NR NSA", "5G-NSA"), Technology.NR_NSA),
    **dict.fromkeys(("5G SA", "5G_SA", "NR SA", "NR", "5G-SA"), Technology.NR_SA),
    **dict.fromkeys(("3G", "UMTS", "HSPA", "HSPA+", "HSDPA", "HSUPA"), Technology.UMTS),
    **dict.fromkeys(("2G", "GSM", "GPRS", "EDGE"), Technology.GSM),
}
LTE_LIKE = (Technology.LTE.value, Technology.NR_NSA.value, Technology.NR_SA.value)
ABSENT = ("", "-", "null", "2147483647")
NO_SERVICE = ("--", "NO_COVERAGE", "No Service", "NO SERVICE")
