"""The house rules that no linter knows."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXTS = (".txt", ".py", ".md", ".toml", ".yml", ".yaml", ".json", ".sh", ".typ", ".html", ".js", ".css", "")


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).suffix in TEXTS and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def texts() -> dict[Path, str]:
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    return {path: path.read_text("utf-8", errors="replace") for path in tracked() if path.stat().st_size < 1_000_000}


MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home/[a-z]+)/")


def test_no_machine_path(texts):
    found = [str(path.relative_to(ROOT)) for path, text in texts.items() if MACHINE_PATH.search(text)]
    assert [name for name in found if name != "tests/test_house.py"] == []


def test_no_vague_module_name():
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
    assert [str(path) for path in tracked() if path.suffix == ".py" and path.stem in vague] == []


def test_constraints_pin_every_dependency(texts):
    pinned = {line.split("==")[0].lower() for line in texts[ROOT / "constraints.txt"].splitlines() if "==" in line}
    wanted = re.findall(r'^\s+"([a-z0-9-]+)>=', texts[ROOT / "pyproject.toml"], flags=re.MULTILINE)
    assert {name.lower() for name in wanted} <= pinned


def test_readme_begins_with_the_two_commands(texts):
    head = texts[ROOT / "README.md"][:1500]
    assert "make demo" in head
    assert "make test" in head


def test_links_in_documents_lead_somewhere(texts):
    dead = [
        f"{path.relative_to(ROOT)}: {target}"
        for path, text in texts.items()
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
        if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists()
    ]
    assert dead == []
