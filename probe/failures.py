"""The one place where an exception becomes a word of the failure vocabulary.

A `NetworkFailure` says that the network (or the other end) failed: it becomes a record. It is no `HaidangError`,
since nothing of ours is wrong.
"""

from __future__ import annotations

import errno
import socket
import ssl

from measurement.record import Access
from measurement.vocabulary import Failure, Operation


class NetworkFailure(Exception):
    """A step of a test failed: what, and in which operation."""

    def __init__(self, failure: Failure, operation: Operation, detail: str = "") -> None:
        super().__init__(detail or failure.value)
        self.failure = failure
        self.operation = operation
        self.detail = detail
        self.access: Access | None = None
        """The steps that went well before."""


_ERRNO = {
    errno.ECONNREFUSED: Failure.CONNECTION_REFUSED,
    errno.ECONNRESET: Failure.CONNECTION_RESET,
    errno.EPIPE: Failure.CONNECTION_RESET,
    errno.ECONNABORTED: Failure.CONNECTION_ABORTED,
    errno.ENETUNREACH: Failure.NETWORK_UNREACHABLE,
    errno.ENETDOWN: Failure.NETWORK_UNREACHABLE,
    errno.EADDRNOTAVAIL: Failure.NETWORK_UNREACHABLE,
    errno.EHOSTUNREACH: Failure.HOST_UNREACHABLE,
    errno.EHOSTDOWN: Failure.HOST_UNREACHABLE,
    errno.ETIMEDOUT: Failure.GENERIC_TIMEOUT_ERROR,
    errno.EACCES: Failure.PERMISSION_DENIED,
    errno.EPERM: Failure.PERMISSION_DENIED,
}

_RESOLVER = {
    socket.EAI_NONAME: Failure.DNS_NXDOMAIN_ERROR,
    getattr(socket, "EAI_NODATA", -5): Failure.DNS_NO_ANSWER,
    socket.EAI_AGAIN: Failure.DNS_SERVER_FAILURE,
    socket.EAI_FAIL: Failure.DNS_SERVER_FAILURE,
}

# OpenSSL's X509_V_ERR_*: 62 host name, 64 address; 18 to 21 no chain to a known root; 2 no issuer.
_VERIFICATION = {
    62: Failure.SSL_INVALID_HOSTNAME,
    64: Failure.SSL_INVALID_HOSTNAME,
    2: Failure.SSL_UNKNOWN_AUTHORITY,
    18: Failure.SSL_UNKNOWN_AUTHORITY,
    19: Failure.SSL_UNKNOWN_AUTHORITY,
    20: Failure.SSL_UNKNOWN_AUTHORITY,
    21: Failure.SSL_UNKNOWN_AUTHORITY,
}


def failure_of(error: BaseException) -> Failure:
    """Return the stable word for an exception."""
    if isinstance(error, NetworkFailure):
        return error.failure
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFICATION.get(error.verify_code, Failure.SSL_INVALID_CERTIFICATE)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | EOFError):
        return Failure.EOF_ERROR
    if isinstance(error, ssl.SSLError):
        return Failure.SSL_FAILED_HANDSHAKE
    if isinstance(error, socket.gaierror):
        return _RESOLVER.get(error.errno or 0, Failure.DNS_SERVER_FAILURE)
    if isinstance(error, TimeoutError):
        return Failure.GENERIC_TIMEOUT_ERROR
    if isinstance(error, KeyboardInterrupt):
        return Failure.INTERRUPTED
    if isinstance(error, OSError):
        return _ERRNO.get(error.errno or 0, Failure.UNKNOWN_FAILURE)
    return Failure.UNKNOWN_FAILURE


def as_network_failure(error: BaseException, operation: Operation) -> NetworkFailure:
    """Translate an exception of a step."""
    return error if isinstance(error, NetworkFailure) else NetworkFailure(failure_of(error), operation, str(error))
