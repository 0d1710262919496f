"""The constants of ndt7 (M-Lab, ndt7-protocol.md v0.11), each with its reason."""

from __future__ import annotations

DOWNLOAD_PATH = "/ndt/v7/download"
UPLOAD_PATH = "/ndt/v7/upload"
SUBPROTOCOL = "net.measurementlab.ndt.v7"

QUERY_MOST_BYTES = 4096
EARLY_EXIT = "early_exit"
EARLY_EXIT_VALUES = {"250": 250_000_000}
"""Megabytes after which a client may ask a download to end; other values are refused with 400."""

MESSAGE_LEAST_BYTES = 1 << 13
"""First binary message: small enough not to block the measurement messages on a slow line."""
MESSAGE_SCALED_MOST_BYTES = 1 << 20
"""Larger messages gain nothing and hold up the measurement messages."""
MESSAGE_MOST_BYTES = 1 << 24
"""A message of up to this size must be accepted."""
SCALING_FRACTION = 16
"""A message doubles once it is no more than 1/16 of what was sent: on every line it lasts about the same time."""

INTERVAL_MEAN_S = 0.25
INTERVAL_LEAST_S = 0.1
"""The reference samples down to 25 ms; a tenth of a second keeps the mean rate below ten messages a second."""
INTERVAL_MOST_S = 0.4

RUNTIME_S = 10.0
"""The sender of load stops."""
RUNTIME_MOST_S = 13.0
"""Either end may close the connection."""
CONNECTION_MOST_S = 15.0
"""The server closes the connection, whatever happens."""


def next_message_bytes(message_bytes: int, sent_bytes: int) -> int:
    """Return the size of the next binary message.

    Examples
    --------
    >>> next_message_bytes(8192, 16 * 8192)
    16384
    >>> next_message_bytes(8192, 15 * 8192)
    8192
    """
    if message_bytes >= MESSAGE_SCALED_MOST_BYTES or message_bytes > sent_bytes // SCALING_FRACTION:
        return message_bytes
    return message_bytes * 2
