"""`haidang-maps build`: the map site as static files."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import click


@click.command(
    epilog="""\b
Examples:
  haidang-maps build --archive archive --out site
  haidang-maps build --archive archive --out site --peer-url https://peer.example:8080
  python3 -m http.server --directory site"""
)
@click.option(
    "--archive", type=click.Path(path_type=Path), envvar="HAIDANG_ARCHIVE", required=True, help="The archive."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write the site into.")
@click.option("--peer-url", help="Where the browser test measures (http or https); else test/settings.json says.")
@click.option("--collector-url", help="Where the browser test reports; the site's own server by default.")
@click.option(
    "--tiles", help="Online base map, e.g. https://{s}.tile.openstreetmap.org/{z}/{x}/{y}.png. None by default."
)
@click.option("--internal", is_flag=True, help="Show cells below the floors of publishing. Not for the public.")
@click.option("--json", "as_json", is_flag=True, help="Print what was built as JSON.")
def command(
    archive: Path,
    out: Path,
    peer_url: str | None,
    collector_url: str | None,
    tiles: str | None,
    internal: bool,
    as_json: bool,
) -> None:
    """Build the map site from the archive's results.

    The site needs no internet and no server of ours: open OUT/index.html, or serve OUT with any web server.
    """
    from maps.addresses import checked_tiles, checked_url
    from maps.site import Options, build
    from maps.source import read_source

    started = time.monotonic()

    def progress(step: str) -> None:
        click.echo(f"{time.monotonic() - started:6.1f} s  {step} …", err=True)

    options = Options(
        made_at=datetime.now(UTC),
        tiles=checked_tiles(tiles),
        peer_url=checked_url("--peer-url", peer_url),
        collector_url=checked_url("--collector-url", collector_url),
        internal=internal,
    )
    progress("reading results")
    source = read_source(archive)
    built = build(source, out, options, progress)
    seconds = time.monotonic() - started
    missing = sorted({"area_ratings", "bts_ratings", "hexagons"} - set(source.tables))
    if as_json:
        click.echo(
            json.dumps(
                {
                    "site": str(out / "index.html"),
                    "files_count": built.files_count,
                    "bytes_count": built.bytes_count,
                    "duration_s": round(seconds, 2),
                    "layers": [layer.key for layer in source.layers],
                    "not_computed": missing,
                    "is_simulated": source.is_simulated,
                    "notes": built.notes,
                }
            )
        )
        return
    for note in built.notes:
        click.echo(note)
    if missing:
        click.echo(f"Not computed yet: {', '.join(missing)}. Run: haidang-analysis rate --archive {archive}")
    click.echo(f"{out / 'index.html'}: {built.files_count} files, {built.bytes_count / 1e6:.1f} MB, {seconds:.1f} s")
