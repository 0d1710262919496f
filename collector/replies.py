# ruff: noqa: E501
"""What the collector says when it refuses: one row a reason, in English and Vietnamese; RFC 9457 problem details."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response


class Refusal(NamedTuple):
    """HTTP status and the two texts."""

    status: int
    en: str
    vi: str


REFUSALS: dict[str, Refusal] = {
    "body-empty": Refusal(400, "The body is empty.", "Nội dung trống."),
    "json-invalid": Refusal(400, "The body is not valid JSON.", "Nội dung không phải JSON hợp lệ."),
    "encoding-broken": Refusal(400, "The compressed body is broken.", "Nội dung nén bị hỏng."),
    "encoding-unknown": Refusal(415, "This Content-Encoding is not known; gzip or none.", "Không hỗ trợ kiểu nén này; chỉ gzip hoặc không nén."),
    "media-unknown": Refusal(415, "This Content-Type is not known; application/json or application/x-ndjson.", "Không hỗ trợ kiểu nội dung này; chỉ application/json hoặc application/x-ndjson."),
    "body-too-large": Refusal(413, "The body is too large.", "Nội dung quá lớn."),
    "too-many-records": Refusal(413, "Too many records in one request.", "Quá nhiều bản ghi trong một yêu cầu."),
    "token-missing": Refusal(401, "A bearer token is needed.", "Cần có mã truy cập (bearer token)."),
    "token-unknown": Refusal(401, "This token is unknown or revoked.", "Mã truy cập không tồn tại hoặc đã bị thu hồi."),
    "role-too-low": Refusal(403, "This token does not open this door.", "Mã truy cập này không có quyền thực hiện."),
    "ticket-invalid": Refusal(401, "The ticket is invalid, too old or already used.", "Vé không hợp lệ, đã hết hạn hoặc đã được dùng."),
    "code-unknown": Refusal(403, "This code is unknown, used or too old.", "Mã ghi danh không tồn tại, đã dùng hoặc đã hết hạn."),
    "too-many-requests": Refusal(429, "Too many requests.", "Quá nhiều yêu cầu."),
    "storage-full": Refusal(503, "The collector cannot take records now. Keep them and come back.", "Hiện không thể nhận bản ghi. Hãy giữ lại và gửi sau."),
    "not-found": Refusal(404, "There is nothing here.", "Không tìm thấy."),
    "method-not-allowed": Refusal(405, "This method is not allowed here.", "Phương thức này không được phép ở đây."),
    "not-acceptable": Refusal(406, "None of the accepted media types can be made here.", "Không tạo được kiểu nội dung nào được chấp nhận."),
    "parameter-invalid": Refusal(422, "A parameter is invalid.", "Tham số không hợp lệ."),
    "content-invalid": Refusal(422, "The content is invalid.", "Nội dung không hợp lệ."),
    "internal-error": Refusal(500, "The collector failed. This is our fault.", "Máy chủ gặp lỗi."),
}  # fmt: skip


class Problem(Exception):
    """Ends a request with a refusal."""

    def __init__(self, code: str, detail: str = "", **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.extra = extra


def speaks_vietnamese(request: Request) -> bool:
    """Return whether the caller prefers Vietnamese to English."""
    weights = {"vi": 0.0, "en": 0.0}
    for part in request.headers.get("accept-language", "")[:200].split(","):
        tag, _, quality = part.strip().partition(";q=")
        language = tag.split("-")[0].lower()
        if language in weights:
            try:
                weights[language] = max(weights[language], float(quality or 1))
            except ValueError:
                continue
    return weights["vi"] > weights["en"]


def refuse(request: Request, problem: Problem) -> Response:
    """Make the answer of a refusal."""
    refusal = REFUSALS[problem.code]
    is_vietnamese = speaks_vietnamese(request)
    content = {
        "type": f"urn:haidang:problem:{problem.code}",
        "title": refusal.vi if is_vietnamese else refusal.en,
        "status": refusal.status,
        "code": problem.code,
    }
    if problem.detail:
        content["detail"] = problem.detail
    headers = {"content-language": "vi" if is_vietnamese else "en"}
    retry = problem.extra.pop("retry_after_s", None)
    if retry is not None:
        headers["retry-after"] = str(max(1, round(retry)))
    if refusal.status == 401:
        headers["www-authenticate"] = "Bearer"
    if "allow" in problem.extra:
        headers["allow"] = problem.extra.pop("allow")
    return Response(
        msgspec.json.encode(content | problem.extra),
        refusal.status,
        headers=headers,
        media_type="application/problem+json",
    )
