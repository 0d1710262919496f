"""The site as files: nothing from elsewhere, nothing inline, hostile names harmless, missing tables told."""

from __future__ import annotations

import html as markup
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from archive.store import Archive
from maps import language
from maps.commands.build import command
from maps.site import PAGES, Options, build, csp
from maps.source import read_source
from measurement.errors import ConfigError
from measurement.gazetteer import layers as gazetteer
from tests.maps import city

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("maps")
    layers = [city.hostile(layer) if layer.key == "communes-2025" else layer for layer in gazetteer()]
    archive = city.make(folder / "archive", cells=120, layers=layers)
    build(read_source(archive), folder / "site", Options(NOW))
    return folder / "site"


def data(site: Path, name: str) -> object:
    text = (site / "data" / f"{name}.js").read_text("utf-8")
    head, tail = "haidang.receive.apply(null,", ");\n"
    assert text.startswith(head)
    assert text.endswith(tail)
    received, value = json.loads(text[len(head) : -len(tail)])
    assert received == name
    return value


@pytest.mark.parametrize("page", PAGES)
def test_pages_hold_no_inline_script_or_style_and_ask_nobody_else(site: Path, page: str) -> None:
    html = markup.unescape((site / page).read_text("utf-8"))
    assert not re.findall(r"<script(?![^>]*\bsrc=)", html)
    assert "<style" not in html
    assert not re.findall(r"\sstyle=|\son\w+=", html)
    links = re.findall(r"""(?:src|href)=["']([^"']+)""", html)
    assert links
    folder = (site / page).parent
    for link in links:
        assert not re.match(r"(?:[a-z]+:)?//", link), link
        if not link.startswith("#"):
            assert (folder / link).is_file(), link
    assert "default-src 'none'" in html
    assert "unsafe" not in html


def test_no_file_of_ours_asks_another_machine(site: Path) -> None:
    for path in [*(site / "page").glob("*"), site / "map.js", *(site / "data").glob("*.js")]:
        text = path.read_text("utf-8")
        for url in re.findall(r"https?://[^\s\"'`)]+", text):
            assert url.startswith("http://www.w3.org/"), f"{path.name}: {url}"
        assert "innerHTML" not in text, path.name
        assert "eval(" not in text, path.name


def test_hostile_names_stay_text(site: Path) -> None:
    for path in (site / "data").glob("*.js"):
        body = path.read_bytes()
        assert b"<" not in body, path.name
        assert "\u2028".encode() not in body
    layer = data(site, "layer-2")
    assert isinstance(layer, dict)
    assert layer["areas"][0]["name"]["vi"].startswith("</script><img src=x")


def test_every_file_the_page_may_ask_for_is_there(site: Path) -> None:
    meta = data(site, "site")
    assert isinstance(meta, dict)
    assert meta["is_simulated"] is True
    assert meta["layers"][meta["default_layer"]]["key"] == "communes-2025"
    assert meta["layers"][1]["is_historical"] is True
    assert [name for name in meta["files"] if not (site / "data" / f"{name}.js").is_file()] == []


def test_without_results_the_map_says_so(tmp_path: Path) -> None:
    with Archive(tmp_path / "archive", create=True):
        pass
    said = CliRunner().invoke(command, ["--archive", str(tmp_path / "archive"), "--out", str(tmp_path / "site")])
    assert said.exit_code == 0, said.output
    assert "Not computed yet: area_ratings, bts_ratings, hexagons" in said.output
    assert (tmp_path / "site" / "index.html").is_file()


def test_a_stale_slice_does_not_outlive_its_ratings(tmp_path: Path) -> None:
    with Archive(tmp_path / "archive", create=True):
        pass
    stale = tmp_path / "site" / "data" / "ratings-9-9-score.js"
    stale.parent.mkdir(parents=True)
    stale.write_text("old")
    build(read_source(tmp_path / "archive"), tmp_path / "site", Options(NOW))
    assert not stale.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--peer-url", "javascript:alert(1)"], "--peer-url: Invalid URL 'javascript:alert(1)'."),
        (["--tiles", "https://tile.example/a.png"], "--tiles: Invalid address 'https://tile.example/a.png'."),
    ],
)
def test_bad_addresses_are_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    with Archive(tmp_path / "archive", create=True):
        pass
    result = CliRunner().invoke(
        command, ["--archive", str(tmp_path / "archive"), "--out", str(tmp_path / "site"), *arguments]
    )
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).startswith(said)


def test_policy_opens_only_what_was_asked_for() -> None:
    plain = csp("index.html", Options(NOW))
    assert "connect-src 'self';" in plain
    tiles = csp("index.html", Options(NOW, tiles="https://{s}.tile.example/{z}/{x}/{y}.png"))
    assert "img-src 'self' data: blob: https://*.tile.example;" in tiles
    peer = csp("test/index.html", Options(NOW, peer_url="https://peer.example:8080"))
    assert "connect-src 'self' https://peer.example:8080 wss://peer.example:8080;" in peer


def used_keys() -> set[str]:
    folder = Path(language.__file__).parent.parent
    keys: set[str] = set()
    for path in [*(folder / "page_files").glob("*.js")]:
        keys |= set(re.findall(r"\bt\(\s*\"([^\"]+)\"", path.read_text("utf-8")))
    for path in (folder / "pages").rglob("*.html"):
        text = path.read_text("utf-8")
        keys |= set(re.findall(r"data-(?:text|label)=\"([a-z_.]+)\"", text))
        keys |= set(re.findall(r"\bt\([\"']([^\"']+)[\"']\)", text))
    return keys


def test_every_text_exists_in_both_languages_with_the_same_places() -> None:
    vietnamese, english = (language.texts(code) for code in language.CODES)
    assert set(vietnamese) == set(english)
    for key in vietnamese:
        places = [sorted(re.findall(r"\{(\w+)\}", text)) for text in (vietnamese[key], english[key])]
        assert places[0] == places[1], key
        assert vietnamese[key].strip(), key
        assert english[key].strip(), key
    assert used_keys() - set(vietnamese) == set()


def test_scores_keep_their_scale_whatever_their_kpi(tmp_path: Path) -> None:
    from analysis.results import schema, shape

    rows = [
        {"layer": "l", "area": "a", "operator": "*", "technology": "*", "period": "all", "status": "rated", **row}
        for row in (
            {"kpi": "loss", "statistic": "score", "value": 93.0},
            {"kpi": "loss", "statistic": "mean", "value": 0.01},
            {"kpi": "downlink", "statistic": "median", "value": 4e7},
        )
    ]
    with Archive(tmp_path / "archive", create=True) as archive:
        frame = pl.DataFrame(rows, schema_overrides={k: schema("area_ratings")[k] for k in ("value",)})
        archive.write_result("area_ratings", shape("area_ratings", frame))
    shown = read_source(tmp_path / "archive").tables["area_ratings"]
    assert shown["value"].to_list() == [93.0, 1.0, 40.0]
