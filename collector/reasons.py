# ruff: noqa: E501
"""Why a record was refused, in Vietnamese: one row for each shape of reason, the values taken over as they are.

Reasons are made in English where the fault is found (by the decoder and by `measurement.rules`); who asks for
Vietnamese is answered by this table. A reason that no row knows stays in English: what is wrong matters more than the language.
"""

from __future__ import annotations

import re

_ROWS = (
    (r"Expected `(\w+)`, got `(\w+)`", r"Cần `\1`, nhận được `\2`"),
    (r"Expected `([\w| ]+)`, got `(\w+)`", r"Cần `\1`, nhận được `\2`"),
    (r"Expected `(\w+)` (<=|>=|<|>) (\S+)", r"Cần `\1` \2 \3"),
    (r"Expected `(\w+)` of length (<=|>=|==) (\d+)", r"Cần `\1` có độ dài \2 \3"),
    (r"Expected `str` matching regex (.+)", r"Cần `str` khớp với biểu thức \1"),
    (r"Expected `datetime` with a timezone component", "Cần `datetime` có múi giờ"),
    (r"Object missing required field `(\w+)`", r"Thiếu trường bắt buộc `\1`"),
    (r"Object contains unknown field `(.+)`", r"Có trường không được biết `\1`"),
    (r"Invalid enum value (.+)", r"Giá trị \1 không có trong danh mục"),
    (r"Invalid RFC3339 encoded datetime", "Thời điểm không đúng RFC 3339"),
    (r"Invalid JSON\. The key '(.+)' stands twice in one object\.", r"JSON không hợp lệ. Khóa '\1' lặp lại trong một đối tượng."),
    (r"Invalid JSON\. (.+)", r"JSON không hợp lệ. \1"),
    (r"Invalid record of (\d+) bytes\. At most (\d+)\.", r"Bản ghi \1 byte quá dài. Tối đa \2."),
    (r"Invalid (\w+) (\S+)\. (\S+) to (\S+) on the (\w+) leg\.", r"\1 \2 không hợp lệ. Từ \3 đến \4 trên nhánh \5."),
    (r"Invalid failure null\. A failed test names its failure\.", "failure không được là null. Phép đo thất bại phải nêu lỗi."),
    (r"Invalid failure (\S+)\. A complete test has none\.", r"failure \1 không hợp lệ. Phép đo hoàn tất thì không có lỗi."),
    (r"Invalid (\w+) (\S+)\. At most (\w+), (\S+)\.", r"\1 \2 không hợp lệ. Không được lớn hơn \3 là \4."),
    (r"Invalid (\w+)\. Only the collector sets it\.", r"\1 không hợp lệ. Chỉ máy chủ thu thập được ghi trường này."),
    (r"Invalid probe_id (.+)\. The token belongs to (.+)\.", r"probe_id \1 không hợp lệ. Mã truy cập thuộc về \2."),
    (r"Invalid probe_id (.+)\. It is taken\.", r"probe_id \1 không hợp lệ. Tên này đã có chủ."),
    (r"Invalid mode (\w+)\. Only browser here\.", r"mode \1 không hợp lệ. Ở đây chỉ nhận browser."),
)  # fmt: skip
_PATTERNS = tuple((re.compile(pattern, re.DOTALL), answer) for pattern, answer in _ROWS)


def in_vietnamese(reason: str) -> str:
    """Return a reason in Vietnamese, as it is where no row knows it.

    Examples
    --------
    >>> in_vietnamese('Expected `int` <= 1007')
    'Cần `int` <= 1007'
    """
    for pattern, answer in _PATTERNS:
        match = pattern.fullmatch(reason)
        if match is not None:
            return match.expand(answer)
    return reason
