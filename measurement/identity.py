"""UUIDv7 (RFC 9562, 5.7): ids in the order of time, so that an index on them stays fast."""

from __future__ import annotations

from measurement.errors import RecordError


def uuid7(unix_ms: int, random: bytes) -> str:
    """Compose a UUIDv7 from a time and ten random bytes.

    Raises
    ------
    ValueError
        Where the time does not fit 48 bits or fewer than ten random bytes are given.

    Examples
    --------
    >>> uuid7(0x017F22E279B0, bytes(10))
    '017f22e2-79b0-7000-8000-000000000000'
    """
    if not 0 <= unix_ms < 1 << 48:
        raise ValueError(f"Invalid unix_ms {unix_ms}. 48 bits, not negative.")
    if len(random) < 10:
        raise ValueError(f"Invalid random of {len(random)} bytes. Ten are needed.")
    noise = int.from_bytes(random[:10])
    value = unix_ms << 80 | 0x7 << 76 | (noise >> 62 & 0xFFF) << 64 | 0b10 << 62 | noise & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def unix_ms_of(record_id: str) -> int:
    """Return the time a UUIDv7 carries, in milliseconds since 1970.

    Examples
    --------
    >>> hex(unix_ms_of('017f22e2-79b0-7000-8000-000000000000'))
    '0x17f22e279b0'
    """
    try:
        return int(record_id[:8] + record_id[9:13], 16)
    except ValueError:
        raise RecordError("$.record_id", f"Invalid record_id {record_id!r}. A UUIDv7.") from None
