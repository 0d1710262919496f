"""Write everything that is generated: `python -m grafana`."""

from __future__ import annotations

from pathlib import Path

import click

from grafana import boards, layers, rulebook

FOLDER = Path(__file__).parent


def generated(layer: str = layers.WATCHED, url: str = "http://localhost:3000") -> dict[str, str]:
    """Return every generated file by its path below this folder."""
    found = {f"dashboards/{board.uid}.json": boards.build(board, layer) for board in boards.BOARDS}
    return {"prometheus/rules.yml": rulebook.text(rulebook.rules(url=url, layer=layer))} | found


@click.command()
@click.option("--layer", default=layers.WATCHED, show_default=True,
              help="Layer whose areas page and on which boards open; every year of it is watched.")  # fmt: skip
@click.option("--url", default="http://localhost:3000", show_default=True, help="Where people reach Grafana.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=FOLDER, show_default="grafana/",
              help="Folder to write to.")  # fmt: skip
def main(layer: str, url: str, out: Path) -> None:
    """Write the rules of Prometheus and the dashboards of Grafana.

    \b
    Examples:
      python -m grafana
      python -m grafana --layer communes-2025 --url https://grafana.example.vn
    """
    for path, content in generated(layer, url).items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
