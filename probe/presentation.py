"""One record for people, in Vietnamese or English: what came out, how sure it is, what held it down."""

from __future__ import annotations

from measurement.record import LatencyResult, Record, ThroughputResult
from measurement.vocabulary import Confidence, Failure, LimitedBy, Status

LANGUAGES = ("vi", "en")

TEXTS: dict[str, tuple[str, str]] = {
    "downlink": ("Tải xuống", "Downlink"),
    "uplink": ("Tải lên", "Uplink"),
    "latency": ("Độ trễ", "Latency"),
    "loaded_downlink": ("  khi tải xuống", "  under downlink"),
    "loaded_uplink": ("  khi tải lên", "  under uplink"),
    "server": ("Máy chủ", "Server"),
    "data": ("Dữ liệu đã dùng", "Data used"),
    "limited": ("Bị giới hạn bởi", "Limited by"),
    "result": ("Kết quả", "Result"),
    "steady": ("khoảng tin cậy 95 %", "95 % interval"),
    "jitter": ("biến thiên", "jitter"),
    "loss": ("mất gói", "loss"),
    "of": ("trên", "of"),
    "complete": ("hoàn tất", "complete"),
    "partial": ("một phần", "partial"),
    "failed": ("thất bại", "failed"),
    "responsiveness": ("Độ đáp ứng", "Responsiveness"),
    "reaching": ("đang kết nối", "reaching the peer"),
    "warming": ("khởi động", "warming up"),
}
CONFIDENCES: dict[Confidence, tuple[str, str]] = {
    Confidence.HIGH: ("tin cậy cao", "high confidence"),
    Confidence.MEDIUM: ("tin cậy vừa", "medium confidence"),
    Confidence.LOW: ("tin cậy thấp", "low confidence"),
}
LIMITS: dict[LimitedBy, tuple[str, str]] = {
    LimitedBy.NETWORK: ("mạng", "the network"),
    LimitedBy.PROBE_CPU: ("bộ xử lý của máy đo; mạng có thể nhanh hơn", "this device's CPU; the network may be faster"),
    LimitedBy.PROBE_LINK: ("cổng mạng của máy đo; mạng có thể nhanh hơn", "this device's link, maybe not the network"),
    LimitedBy.SERVER: ("máy chủ đo", "the measurement server"),
    LimitedBy.CROSS_TRAFFIC: ("lưu lượng khác trên đường truyền", "other traffic on the line"),
    LimitedBy.BYTE_BUDGET: ("hạn mức dữ liệu", "the data budget"),
    LimitedBy.UNKNOWN: ("chưa rõ", "unknown"),
}  # fmt: skip
FAILURES: dict[Failure, tuple[str, str]] = {
    Failure.NO_SERVICE: ("không có sóng", "no service"),
    Failure.NETWORK_UNREACHABLE: ("không có đường tới mạng", "the network is unreachable"),
    Failure.HOST_UNREACHABLE: ("không tới được máy chủ", "the host is unreachable"),
    Failure.DNS_NXDOMAIN_ERROR: ("tên máy chủ không tồn tại", "the name does not exist"),
    Failure.DNS_NO_ANSWER: ("tên máy chủ không có địa chỉ", "the name has no address"),
    Failure.DNS_SERVER_FAILURE: ("máy chủ tên miền không trả lời", "the name server does not answer"),
    Failure.CONNECTION_REFUSED: ("máy chủ từ chối kết nối", "the connection was refused"),
    Failure.CONNECTION_RESET: ("kết nối bị đứt", "the connection was reset"),
    Failure.CONNECTION_ABORTED: ("kết nối bị hủy", "the connection was aborted"),
    Failure.EOF_ERROR: ("máy chủ đóng kết nối giữa chừng", "the server closed in the middle"),
    Failure.GENERIC_TIMEOUT_ERROR: ("hết thời gian chờ", "nothing came in time"),
    Failure.TRANSFER_STALLED: ("truyền tải đứng yên", "the transfer stalled"),
    Failure.SSL_INVALID_CERTIFICATE: ("chứng chỉ không hợp lệ", "the certificate is not valid"),
    Failure.SSL_INVALID_HOSTNAME: ("chứng chỉ không đúng tên máy chủ", "the certificate is for another name"),
    Failure.SSL_UNKNOWN_AUTHORITY: ("chứng chỉ không do nơi tin cậy cấp", "the certificate's authority is unknown"),
    Failure.SSL_FAILED_HANDSHAKE: ("bắt tay TLS thất bại", "the TLS handshake failed"),
    Failure.HTTP_REQUEST_FAILED: ("máy chủ từ chối yêu cầu", "the server refused the request"),
    Failure.PROTOCOL_ERROR: ("máy chủ trả lời sai giao thức", "the server does not speak the protocol"),
    Failure.SERVER_BUSY: ("máy chủ đang bận, hãy thử lại sau", "the server is busy, try again later"),
    Failure.PERMISSION_DENIED: ("hệ thống không cho phép", "the system does not permit it"),
    Failure.METHOD_UNAVAILABLE: ("phương pháp không dùng được", "the method is not available"),
    Failure.INTERRUPTED: ("bị ngắt", "interrupted"),
    Failure.UNKNOWN_FAILURE: ("lỗi chưa rõ", "unknown failure"),
}


class Words:
    """Looks texts up in one language."""

    def __init__(self, language: str) -> None:
        self._at = LANGUAGES.index(language)

    def __getitem__(self, key: str) -> str:
        return TEXTS[key][self._at]

    def pick(self, pair: tuple[str, str]) -> str:
        """Return one of a pair."""
        return pair[self._at]

    def number(self, value: float, digits: int) -> str:
        """Format a number; Vietnamese writes a decimal comma."""
        text = f"{value:,.{digits}f}"
        return text.translate({ord(","): ".", ord("."): ","}) if self._at == 0 else text


def language_of(environment: dict[str, str]) -> str:
    """Return the language of a locale: Vietnamese where it says so, else English.

    Examples
    --------
    >>> language_of({"LANG": "vi_VN.UTF-8"}), language_of({})
    ('vi', 'en')
    """
    chosen = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or ""
    return "vi" if chosen.lower().startswith("vi") else "en"


def rate(words: Words, bps: float) -> str:
    """Return a rate with three significant figures or so."""
    megabits = bps / 1e6
    digits = 0 if megabits >= 1000 else 1 if megabits >= 10 else 2
    return f"{words.number(megabits, digits)} Mbit/s"


def rows(record: Record, language: str) -> list[tuple[str, str]]:
    """Return label and text of each line of a result."""
    words = Words(language)
    found: list[tuple[str, str]] = []
    for direction in ("downlink", "uplink"):
        result = None if record.throughput is None else getattr(record.throughput, direction)
        if result is not None and result.goodput_bps is not None:
            found.append((words[direction], _throughput(words, result)))
    found += _latencies(record, words)
    found += _responsiveness(record, words)
    if record.device is not None and record.device.limited_by is not None:
        found.append((words["limited"], words.pick(LIMITS[record.device.limited_by])))
    used = _bytes_used(record)
    if used:
        found.append((words["data"], f"{words.number(used / 1e6, 1)} MB"))
    if record.server is not None:
        found.append((words["server"], " · ".join(filter(None, (record.server.host, record.server.site)))))
    found.append((words["result"], _outcome(record, words)))
    return found


def text(record: Record, language: str) -> str:
    """Return a result as plain lines, labels aligned."""
    lines = rows(record, language)
    width = max(len(label) for label, _ in lines)
    return "\n".join(f"{label:<{width}}  {value}" for label, value in lines)


def _throughput(words: Words, result: ThroughputResult) -> str:
    assert result.goodput_bps is not None
    parts = [rate(words, result.goodput_bps)]
    if result.low_bps and result.high_bps is not None:  # one that reaches down to 0 tells a person nothing
        parts.append(f"({words['steady']} {rate(words, result.low_bps)[:-7]}–{rate(words, result.high_bps)})")
    if result.confidence is not None:
        parts.append(words.pick(CONFIDENCES[result.confidence]))
    return " ".join(parts)


def _latencies(record: Record, words: Words) -> list[tuple[str, str]]:
    if record.latency is None:
        return []
    found = (("latency", record.latency.idle), ("loaded_downlink", record.latency.downlink))
    both = (*found, ("loaded_uplink", record.latency.uplink))
    return [(words[label], _latency(words, result)) for label, result in both if result is not None]


def _latency(words: Words, result: LatencyResult) -> str:
    parts = []
    if result.rtt_median_ms is not None:
        parts.append(f"{words.number(result.rtt_median_ms, 1 if result.rtt_median_ms >= 1 else 3)} ms")
    if result.ipdv_mean_ms is not None:
        parts.append(f"{words['jitter']} {words.number(result.ipdv_mean_ms, 1 if result.ipdv_mean_ms >= 1 else 3)} ms")
    if result.loss_ratio is not None:
        share = words.number(result.loss_ratio * 100, 1)
        parts.append(f"{words['loss']} {share} % ({words['of']} {result.sent_count})")
    return ", ".join([*parts, str(result.method)])


def _responsiveness(record: Record, words: Words) -> list[tuple[str, str]]:
    given = record.responsiveness
    if given is None:
        return []
    named = (("downlink", given.downlink), ("uplink", given.uplink))
    parts = [f"{words.number(r.rpm, 0)} RPM ({words[label].lower()})" for label, r in named if r is not None]
    return [(words["responsiveness"], ", ".join(parts))] if parts else []


def _bytes_used(record: Record) -> int:
    both = record.throughput
    return 0 if both is None else sum(r.bytes_count or 0 for r in (both.downlink, both.uplink) if r is not None)


def _outcome(record: Record, words: Words) -> str:
    outcome = record.outcome
    said = words[outcome.status.value]
    if outcome.failure is None:
        return said
    step = f", {outcome.operation}" if outcome.operation is not None else ""
    mark = "" if outcome.status is Status.COMPLETE else f" [{outcome.failure}{step}]"
    return f"{said}: {words.pick(FAILURES[outcome.failure])}{mark}"
