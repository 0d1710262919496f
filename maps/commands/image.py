"""`haidang-maps image`: a map as PNG."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

_LARGEST_PX = 8000


@click.command(
    epilog="""\b
Examples:
  haidang-maps image --archive archive --out map.png
  haidang-maps image --archive archive --out viettel.png --operator Viettel --technology 5g --kpi downlink
  haidang-maps image --archive archive --out districts.png --layer districts-2024 --period 2026-10 --language en"""
)
@click.option("--archive", type=click.Path(path_type=Path), envvar="HAIDANG_ARCHIVE", required=True, help="Archive.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="PNG to write.")
@click.option("--layer", help="Key of the layer of areas; the one valid today by default.")
@click.option("--operator", help="Operator; all together by default.")
@click.option("--technology", help="Class of technology (5g, 4g …); all together by default.")
@click.option("--kpi", help="KPI or score; the score by default.")
@click.option("--period", help="Month (2026-10) or all; all by default.")
@click.option("--language", type=click.Choice(["vi", "en"]), default="vi", show_default=True)
@click.option("--width", type=click.IntRange(400, _LARGEST_PX), default=1600, show_default=True, help="Pixels.")
@click.option("--height", type=click.IntRange(300, _LARGEST_PX), default=1100, show_default=True, help="Pixels.")
def command(
    archive: Path,
    out: Path,
    layer: str | None,
    operator: str | None,
    technology: str | None,
    kpi: str | None,
    period: str | None,
    language: str,
    width: int,
    height: int,
) -> None:
    """Draw a map of the ratings as PNG, without a browser."""
    from maps.picture import draw
    from maps.selection import select
    from maps.source import read_source

    source = read_source(archive)
    selection = select(
        source,
        datetime.now(UTC).date(),
        layer=layer,
        operator=operator,
        technology=technology,
        kpi=kpi,
        period=period,
    )
    figure = draw(source, selection, language, (width, height))
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, format="png")
    click.echo(f"{out}: {width} × {height} pixels, {out.stat().st_size / 1e3:.0f} kB")
