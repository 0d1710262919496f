"""Why a stop is in the plan, in English and Vietnamese."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.plan.needs import AREA, CELL, STATION, Need


def _streams(needs: Sequence[Need]) -> str:
    """Write how many tests each operator and technology lacks, the nearest to its floor first, equals together.

    Examples
    --------
    >>> lacking = [Need(AREA, '1', '', o, t, 0, n, 1.0, 1.0) for o, t, n in (
    ...     ('A', '4g', 100), ('A', '5g', 100), ('B', '4g', 100), ('B', '5g', 100), ('C', '5g', 40))]
    >>> _streams(lacking)
    'C 5G 40, A + B 4G/5G 100'
    """
    technologies: dict[tuple[float, str], list[str]] = {}
    for need in sorted(needs, key=lambda n: n.technology):
        technologies.setdefault((need.needed, need.operator), []).append(need.technology.upper())
    operators: dict[tuple[float, str], list[str]] = {}
    for (needed, operator), own in sorted(technologies.items()):
        operators.setdefault((needed, "/".join(own)), []).append(operator)
    return ", ".join(f"{' + '.join(own)} {kinds} {needed:.0f}" for (needed, kinds), own in sorted(operators.items()))


def reason(needs: Sequence[Need], hour: int | None) -> tuple[str, str]:
    """Say why, in English and Vietnamese.

    Examples
    --------
    >>> need = Need(AREA, '1', 'Đồ Sơn', 'Viettel', '5g', 60, 40, 1.0, 1.0)
    >>> reason([need], 14)[0]
    'Đồ Sơn cannot be published yet, tests missing: Viettel 5G 40; never tested around 14:00.'
    """
    english: list[str] = []
    vietnamese: list[str] = []
    lacking = [n for n in needs if n.kind == AREA and n.needed > 0]
    if lacking:
        where = lacking[0].name
        english.append(f"{where} cannot be published yet, tests missing: {_streams(lacking)}")
        vietnamese.append(f"{where} chưa đủ mẫu để công bố, còn thiếu: {_streams(lacking)}")
    unsure = [n for n in needs if n.kind == AREA and n.needed <= 0 and n.half_width > 0.1]
    if unsure and not lacking:
        widest = max(unsure, key=lambda n: n.half_width)
        share = f"{100 * widest.half_width:.0f} %"
        english.append(
            f"{widest.name}: the median of {widest.operator} {widest.technology.upper()} is known to ±{share}"
        )
        vietnamese.append(
            f"{widest.name}: trung vị {widest.operator} {widest.technology.upper()} mới biết đến ±{share}"
        )
    stations = [n for n in needs if n.kind == STATION]
    if stations:
        names = ", ".join(sorted({n.target for n in stations})[:3])
        english.append(f"stations near a grade border: {names}")
        vietnamese.append(f"trạm sát ngưỡng xếp hạng: {names}")
    if any(n.kind == CELL for n in needs):
        english.append("the coverage map is unsure here")
        vietnamese.append("bản đồ vùng phủ chưa chắc chắn tại đây")
    if hour is not None:
        english.append(f"never tested around {hour:02d}:00")
        vietnamese.append(f"chưa từng đo vào khoảng {hour:02d} giờ")
    if not english:
        return "sharpens what is published.", "làm chính xác thêm số liệu đã công bố."
    return "; ".join(english) + ".", "; ".join(vietnamese) + "."


def kind(needs: Sequence[Need], hour: int | None) -> str:
    """Return the kind of the need that weighs most."""
    open_ = [n for n in needs if n.needed > 0 or n.kind != AREA]
    if not open_:
        return "hour" if hour is not None else AREA
    return max(open_, key=lambda n: n.weight * n.half_width).kind
