"""Write everything that is generated: `python -m grafana`."""

from __future__ import annotations

from pathlib import Path

from grafana import boards, rulebook

FOLDER = Path(__file__).parent


def generated() -> dict[str, str]:
    """Return every generated file by its path below this folder."""
    found = {f"dashboards/{board.uid}.json": boards.build(board) for board in boards.BOARDS}
    return {"prometheus/rules.yml": rulebook.text(rulebook.rules())} | found


def main() -> None:
    """Write the files."""
    for path, content in generated().items():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
