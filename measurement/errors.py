"""The one tree of errors.

HaidangError
├── ConfigError        a setting, argument or configuration file is wrong: exit code 2
├── RecordError        a record breaks the contract: names the path and the reason (HTTP 422)
├── InstrumentError    the instrument failed, not the network: logged, never reported as a bad network
├── DeliveryError      a record could not be delivered: it stays in the spool
└── StorageError       the store cannot take a record now: HTTP 503 with Retry-After

A failing network is not in this tree: it is a result, a record with a `failure`.
"""

from __future__ import annotations


class HaidangError(Exception):
    """Base of everything this project raises on purpose."""


class ConfigError(HaidangError):
    """A setting, argument or configuration file is wrong."""


class RecordError(HaidangError):
    """A record breaks the contract at `path` for `reason`."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class InstrumentError(HaidangError):
    """The instrument itself failed; the network is not to blame."""


class DeliveryError(HaidangError):
    """Records could not be delivered; they stay where they are.

    `retry_after_s` is what the receiver asked for, `None` where it said nothing.
    """

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class StorageError(HaidangError):
    """The store cannot take records now."""
