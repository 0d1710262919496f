"""A modem behind a pseudo-terminal that talks AT, one personality for each firmware."""

import os
import threading
import tty
from contextlib import suppress
from dataclasses import dataclass, field

QUECTEL_NSA = {
    "ATE0": "OK",
    "AT+CGMI": "Quectel\r\n\r\nOK",
    "ATI": "Quectel\r\nRM500Q-GL\r\nRevision: RM500QGLABR11A06M4G\r\n\r\nOK",
    'AT+QENG="servingcell"': '+QENG: "servingcell","NOCONN"\r\n'
    '+QENG: "LTE","FDD",452,04,3359966,1,150,1,5,5,4AA3,-89,-13,-58,16,15,20,-\r\n'
    '+QENG:"NR5G-NSA",452,04,832,-76,21,-11,528030,41,8,1\r\n\r\nOK',
    "AT+QCAINFO": '+QCAINFO: "PCC",150,100,"LTE BAND 1",1,1,-89,-10,-59,15\r\n\r\nOK',
    "AT+QRSRP": "+QRSRP: -75,-77,-82,-90,NR5G\r\n\r\nOK",
    "AT+COPS?": '+COPS: 0,2,"45204",13\r\n\r\nOK',
    "AT+CEREG?": '+CEREG: 2,1,"4AA3","3359966",7\r\n\r\nOK',
}
# SINR in tenths, no space, no line end between two replies, the command echoed whatever ATE0 said.
QUECTEL_BUGGY = {
    **QUECTEL_NSA,
    'AT+QENG="servingcell"': '+QENG: "servingcell","NOCONN"\r\n'
    '+QENG: "LTE","FDD",452,01,1A2D001,1,1575,3,3,3,1,-70,-9,-46,25,-+QENG:"NR5G-NSA",452,01,500,-75,180,-11\r\n\r\nOK',
    "AT+QCAINFO": '+QCAINFO: "PCC",1575,50,"LTE BAND 3",1,1,-70,-9,-46,7'
    '+QCAINFO: "SCC",521310,11,"NR5G BAND 41",1,153,0,-,-\r\n\r\nOK',
    "AT+COPS?": '+COPS: 0,2,"45201",13\r\n\r\nOK',
    "AT+CEREG?": "+CME ERROR: 30",
}
SIMCOM = {
    "ATE0": "OK",
    "AT+CGMI": "SIMCOM INCORPORATED\r\n\r\nOK",
    "ATI": "Manufacturer: SIMCOM INCORPORATED\r\nModel: SIMCOM_SIM7906E\r\n\r\nOK",
    "AT+CPSI?": "+CPSI: LTE,Online,452-05,0x0EF8,22060,58,EUTRAN-BAND3,1725,3,3,-108,-889,-614,19\r\n\r\nOK",
}
GENERIC = {
    "ATE0": "OK",
    "AT+CGMI": "Telit\r\n\r\nOK",
    "ATI": "ERROR",
    "AT+CESQ": "+CESQ: 99,99,255,255,20,46\r\n\r\nOK",
    "AT+COPS?": '+COPS: 0,2,"45202",7\r\n\r\nOK',
    "AT+CEREG?": '+CEREG: 2,5,"4AA3","3359966",7\r\n\r\nOK',
    "AT+C5GREG?": "ERROR",
}


@dataclass
class Modem:
    """Answers each command from its table, else ERROR; `is_silent` answers nothing, as a GPS port does."""

    answers: dict[str, str]
    echoes: bool = False
    is_silent: bool = False
    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> "Modem":
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.device = os.ttyname(self.slave)
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def unplug(self) -> None:
        for handle in (self.slave, self.master):
            if handle >= 0:
                os.close(handle)
        self.slave = self.master = -1

    def _talk(self) -> None:
        heard = b""
        with suppress(OSError):  # unplugged
            while True:
                heard += os.read(self.master, 1024)
                while b"\r" in heard:
                    command, _, heard = heard.partition(b"\r")
                    self._answer(command.decode().strip())

    def _answer(self, command: str) -> None:
        self.asked.append(command)
        if self.is_silent:
            return
        echo = f"{command}\r\r\n" if self.echoes else "\r\n"
        os.write(self.master, f"{echo}{self.answers.get(command, 'ERROR')}\r\n".encode())
