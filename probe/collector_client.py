"""The collector's HTTP interface, as a probe uses it."""

from __future__ import annotations

import http.client
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from measurement.errors import ConfigError, DeliveryError

TIMEOUT_S = 20.0
MAX_REPLY_BYTES = 4 * 2**20
USER_AGENT = "haidang-probe"


class Reply(NamedTuple):
    """What the collector answered. `date` is its clock, `retry_after_s` its wish, None where it said nothing."""

    status: int
    body: bytes
    date: datetime | None
    retry_after_s: float | None


class CollectorClient:
    """One collector. A connection for each request: between two deliveries an hour may pass."""

    def __init__(
        self, url: str, token: str | None = None, *, timeout_s: float = TIMEOUT_S, ca_file: Path | None = None
    ) -> None:
        """Check the address; nothing is sent yet.

        Raises
        ------
        ConfigError
            Where the address is none of http or https, or the CA file cannot be read.
        """
        self.url = url.rstrip("/")
        self._parts = _parse(self.url)
        self._token, self._timeout_s = token, timeout_s
        self._tls: ssl.SSLContext | None = None
        if self._parts.scheme == "https":
            try:
                self._tls = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"Invalid ca_file {str(ca_file)!r}. {error}.") from None

    def post(
        self, path: str, body: bytes, *, content_type: str, is_gzip: bool = False, backlog: int | None = None
    ) -> Reply:
        """Send a body, and how many records wait behind it; raises DeliveryError where no answer came."""
        headers = {"Content-Type": content_type}
        if is_gzip:
            headers["Content-Encoding"] = "gzip"
        if backlog is not None:
            headers["Haidang-Backlog"] = str(backlog)
        return self._request("POST", path, body, headers)

    def get(self, path: str) -> Reply:
        """Fetch a document; raises DeliveryError where no answer came."""
        return self._request("GET", path, None, {"Accept": "application/json"})

    def _request(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        headers["User-Agent"] = USER_AGENT
        connection = self._connect()
        try:
            connection.request(method, self._parts.path.rstrip("/") + path, body, headers)
            response = connection.getresponse()
            content = response.read(MAX_REPLY_BYTES + 1)
            if len(content) > MAX_REPLY_BYTES:
                raise DeliveryError(f"{self.url}: reply over {MAX_REPLY_BYTES} bytes")
            return Reply(response.status, content, _date(response), _retry_after_s(response))
        except (OSError, http.client.HTTPException) as error:
            raise DeliveryError(f"{self.url}: {_reason(error)}") from None
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = str(self._parts.hostname), self._parts.port
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=self._tls)


def _parse(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises where the port is none
    except ValueError as error:
        raise ConfigError(f"Invalid collector {url!r}. {error}.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"Invalid collector {url!r}. An address such as https://collector.example.")
    return parts


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _date(response: http.client.HTTPResponse) -> datetime | None:
    """Return the collector's clock: its own header in microseconds, else Date, which counts whole seconds."""
    try:
        return datetime.fromisoformat(response.headers["Haidang-Clock"]).astimezone(UTC)
    except (TypeError, ValueError):
        return _whole_seconds(response)


def _whole_seconds(response: http.client.HTTPResponse) -> datetime | None:
    try:
        date = parsedate_to_datetime(response.headers["Date"])
    except (TypeError, ValueError):
        return None
    # It was cut, so on average it is half a second old.
    return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)) + timedelta(milliseconds=500)


def _retry_after_s(response: http.client.HTTPResponse) -> float | None:
    text = (response.headers.get("Retry-After") or "").strip()
    return float(text) if text.isdecimal() and len(text) <= 6 else None
