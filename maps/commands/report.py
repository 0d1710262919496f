"""`haidang-maps report`: a month as PDF."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime
from pathlib import Path

import click


@click.command(
    epilog="""\b
Examples:
  haidang-maps report --archive archive --out report.pdf
  haidang-maps report --archive archive --out 2026-10.pdf --period 2026-10 --language both
  haidang-maps report --archive archive --out certified.pdf --certified --organisation "Sở Khoa học và Công nghệ\""""
)
@click.option("--archive", type=click.Path(path_type=Path), envvar="HAIDANG_ARCHIVE", required=True, help="Archive.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="PDF to write; its data goes beside it.")
@click.option("--period", help="Month (2026-10) or all; the last month by default.")
@click.option("--layer", help="Key of the layer of areas; the one valid today by default.")
@click.option("--operator", help="Operator to rank by; all together by default.")
@click.option("--technology", help="Class of technology to rank by; all together by default.")
@click.option("--language", type=click.Choice(["vi", "en", "both"]), default="vi", show_default=True)
@click.option("--title", help="Title on the first page.")
@click.option("--organisation", help="Who reports.")
@click.option("--certified", is_flag=True, help="A certified campaign: with a block for signatures.")
def command(
    archive: Path,
    out: Path,
    period: str | None,
    layer: str | None,
    operator: str | None,
    technology: str | None,
    language: str,
    title: str | None,
    organisation: str | None,
    certified: bool,
) -> None:
    """Typeset a month: summary, map, ranking, verdicts, stations to mend, holes, participation, method and limits.

    Beside OUT stands OUT with the ending .json: the report's data. Its SHA-256 is printed in the report.
    """
    from maps import language as languages
    from maps.picture import draw
    from maps.report.content import Terms, collect
    from maps.report.typeset import digest, typeset
    from maps.selection import select
    from maps.source import read_source

    started = time.monotonic()
    now = datetime.now(UTC)
    source = read_source(archive)
    wanted = period or (source.months[-1] if source.months else None)
    selection = select(source, now.date(), layer=layer, operator=operator, technology=technology, period=wanted)
    terms = Terms(selection, now, title, organisation, certified)
    editions, pictures = [], {}
    for code in languages.CODES if language == "both" else (language,):
        click.echo(f"{time.monotonic() - started:6.1f} s  {code}: map and tables …", err=True)
        buffer = io.BytesIO()
        draw(source, selection, code, (1500, 1000)).savefig(buffer, format="png")
        pictures[f"map-{code}.png"] = buffer.getvalue()
        editions.append(collect(source, terms, code) | {"picture": f"map-{code}.png"} | _method(code))
    body, sha256 = digest(editions)
    click.echo(f"{time.monotonic() - started:6.1f} s  typesetting …", err=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(typeset(editions, pictures, sha256, now))
    out.with_suffix(".json").write_bytes(body)
    click.echo(f"{out}: {out.stat().st_size / 1e3:.0f} kB, {time.monotonic() - started:.1f} s")
    click.echo(f"{out.with_suffix('.json')}: SHA-256 {sha256}")


def _method(code: str) -> dict[str, list[str]]:
    from maps import language as languages

    texts = languages.texts(code)
    return {
        "method": [texts[f"about.method.{step}"] for step in range(1, 6)],
        "limits": [texts[f"about.limits.{step}"] for step in range(1, 5)],
    }
