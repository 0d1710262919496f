"""Checks of modem and position: one sample of each configured source."""

from __future__ import annotations

from measurement.errors import HaidangError
from probe.doctor import Finding, Subject

NONE = "none"
_ABSENT = ("chưa cấu hình", "not configured")


def modem(subject: Subject) -> Finding:
    """Does the modem tell its cells?"""
    from probe.sources import open_radio

    settings = subject.settings.radio
    if settings.source == NONE:
        return Finding(None, _ABSENT)
    try:
        source = open_radio(settings)
        samples = [] if source is None else source.sample()
        if source is not None:
            source.close()
    except HaidangError as error:
        cure = ("kiểm tra [radio] trong cấu hình và cáp modem", "check [radio] in the configuration, and the cable")
        return Finding(False, (str(error), str(error)), cure)
    serving = next((sample for sample in samples if sample.is_serving), None)
    if serving is None:
        cure = ("kiểm tra SIM và ăng-ten", "check SIM and antenna")
        return Finding(False, ("không có cell phục vụ", "no serving cell"), cure)
    said = f"{serving.leg}, cell {serving.cell_id}, RSRP {serving.rsrp_dbm} dBm"
    return Finding(True, (said, said))


def position(subject: Subject) -> Finding:
    """Does the position source have a fix?"""
    from probe.sources import open_position

    settings = subject.settings.position
    if settings.source == NONE:
        return Finding(None, _ABSENT)
    try:
        source = open_position(settings)
        fix = None if source is None else source.fix()
        if source is not None:
            source.close()
    except HaidangError as error:
        cure = ("kiểm tra [position] trong cấu hình và cáp GPS", "check [position] in the configuration, and the cable")
        return Finding(False, (str(error), str(error)), cure)
    if fix is None:
        cure = ("đặt ăng-ten GPS nơi thấy bầu trời", "put the GPS antenna where it sees the sky")
        return Finding(False, ("chưa có vị trí", "no fix yet"), cure)
    said = f"{fix.longitude_deg:.4f}, {fix.latitude_deg:.4f} ({fix.source})"
    return Finding(True, (said, said))
