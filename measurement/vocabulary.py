"""The words a record may use. Values are stable: they are stored, published and queried."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """Why a test ran."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    DRIVE = "drive"
    CERTIFIED = "certified"
    BROWSER = "browser"
    IMPORT = "import"


class PositionSource(StrEnum):
    """Where a position came from."""

    GNSS = "gnss"
    FIXED = "fixed"
    BROWSER = "browser"
    NETWORK = "network"
    MANUAL = "manual"


class Environment(StrEnum):
    """The three measuring conditions of QCVN 81 and 126."""

    INDOOR = "indoor"
    OUTDOOR_STATIC = "outdoor_static"
    OUTDOOR_MOVING = "outdoor_moving"


class Technology(StrEnum):
    """Access technology of the line under test."""

    NR_SA = "nr_sa"
    NR_NSA = "nr_nsa"
    LTE = "lte"
    UMTS = "umts"
    GSM = "gsm"
    WIFI = "wifi"
    ETHERNET = "ethernet"


class Leg(StrEnum):
    """Radio leg of a sample: the LTE (or older) anchor, or the NR carrier."""

    ANCHOR = "anchor"
    NR = "nr"


class LatencyMethod(StrEnum):
    """How round trips were measured."""

    STAMP = "stamp"
    ICMP = "icmp"
    TCP = "tcp"
    HTTP = "http"


class ThroughputMethod(StrEnum):
    """How goodput was measured."""

    HTTP = "http"
    NDT7 = "ndt7"
    OOKLA = "ookla"
    IPERF3 = "iperf3"
    LIBRESPEED = "librespeed"
    GNETTRACK = "gnettrack"


class StopReason(StrEnum):
    """Why a throughput phase ended."""

    STABLE = "stable"
    TIME = "time"
    BYTES = "bytes"
    ERROR = "error"


class Confidence(StrEnum):
    """How far a single figure can be trusted."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class LimitedBy(StrEnum):
    """What held the rate down."""

    NETWORK = "network"
    PROBE_CPU = "probe_cpu"
    PROBE_LINK = "probe_link"
    SERVER = "server"
    CROSS_TRAFFIC = "cross_traffic"
    BYTE_BUDGET = "byte_budget"
    UNKNOWN = "unknown"


class Status(StrEnum):
    """How a test cycle ended."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"


class Operation(StrEnum):
    """The step in which a test failed."""

    ATTACH = "attach"
    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS_HANDSHAKE = "tls_handshake"
    TRANSFER = "transfer"
    ECHO = "echo"


class Failure(StrEnum):
    """Why a test failed, in words that stay the same for ever."""

    NO_SERVICE = "no_service"
    NETWORK_UNREACHABLE = "network_unreachable"
    HOST_UNREACHABLE = "host_unreachable"
    DNS_NXDOMAIN_ERROR = "dns_nxdomain_error"
    DNS_NO_ANSWER = "dns_no_answer"
    DNS_SERVER_FAILURE = "dns_server_failure"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_RESET = "connection_reset"
    CONNECTION_ABORTED = "connection_aborted"
    EOF_ERROR = "eof_error"
    GENERIC_TIMEOUT_ERROR = "generic_timeout_error"
    TRANSFER_STALLED = "transfer_stalled"
    SSL_INVALID_CERTIFICATE = "ssl_invalid_certificate"
    SSL_INVALID_HOSTNAME = "ssl_invalid_hostname"
    SSL_UNKNOWN_AUTHORITY = "ssl_unknown_authority"
    SSL_FAILED_HANDSHAKE = "ssl_failed_handshake"
    HTTP_REQUEST_FAILED = "http_request_failed"
    PROTOCOL_ERROR = "protocol_error"
    SERVER_BUSY = "server_busy"
    PERMISSION_DENIED = "permission_denied"
    METHOD_UNAVAILABLE = "method_unavailable"
    INTERRUPTED = "interrupted"
    UNKNOWN_FAILURE = "unknown_failure"


class MatchedBy(StrEnum):
    """How a record was matched to a base station of the registry."""

    IDENTITY = "identity"
    DISTANCE = "distance"
