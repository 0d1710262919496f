"""The site in a real browser with the network cut: every page, both languages, phone and desktop, keyboard and axe."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from maps.site import Options, build
from maps.source import read_source
from measurement.gazetteer import layers as gazetteer
from tests.maps import city
from tests.maps.browser import DESKTOP, PHONE, page, ready, shared, until, violations

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVIL = "</script><img src=x onerror=alert(1)>{{7*7}}\u2028'\"&"


@pytest.fixture(scope="module", autouse=True)
def browser() -> Iterator[None]:
    with shared():
        yield


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    layers = [city.hostile(layer) if layer.key == "communes-2025" else layer for layer in gazetteer()]
    archive = city.make(folder / "archive", cells=400, layers=layers)
    build(read_source(archive), folder / "site", Options(NOW))
    return folder / "site"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from archive.store import Archive

    folder = tmp_path_factory.mktemp("empty")
    with Archive(folder / "archive", create=True):
        pass
    build(read_source(folder / "archive"), folder / "site", Options(NOW))
    return folder / "site"


def urls(site: Path) -> dict[str, str]:
    second = gazetteer()[2].areas[1].key
    root = site.as_uri()
    return {
        "overview": f"{root}/index.html",
        "hexagons": f"{root}/index.html#theme=hexagons",
        "density": f"{root}/index.html#theme=density",
        "coverage": f"{root}/index.html#theme=coverage",
        "area": f"{root}/area.html#layer=communes-2025&area={second}",
        "station": f"{root}/station.html#station=HP-0001",
        "progress": f"{root}/progress.html",
        "about": f"{root}/about.html",
        "test": f"{root}/test/index.html",
    }


@pytest.mark.parametrize(("language", "scheme", "size"), [("en", "light", DESKTOP), ("vi", "dark", PHONE)])
def test_every_page_works_alone_and_axe_finds_nothing_serious(
    site: Path, language: str, scheme: str, size: dict[str, int]
) -> None:
    with page(size, color_scheme=scheme) as (tab, seen):
        for name, url in urls(site).items():
            joint = "&" if "#" in url else "#"
            ready(tab, f"{url}{joint}lang={language}")
            assert tab.evaluate("document.documentElement.lang") == language
            assert violations(tab) == [], name
            wide = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{name} scrolls sideways by {wide} px"
        seen.check()


def test_simulated_and_approximate_are_said(site: Path) -> None:
    with page(DESKTOP) as (tab, seen):
        ready(tab, urls(site)["overview"])
        assert tab.locator(".simulated").inner_text().startswith("Số liệu mô phỏng.")
        assert "gần đúng" in tab.locator("#map-note").inner_text()
        tab.click("#switch-language")
        assert tab.locator(".simulated").inner_text().startswith("Simulated data.")
        until(tab, "document.querySelector('#map-note').textContent.includes('Approximate')")
        seen.check()


def test_hostile_names_are_shown_as_text(site: Path) -> None:
    with page(DESKTOP) as (tab, seen):
        first = gazetteer()[2].areas[0].key
        ready(tab, f"{site.as_uri()}/area.html#layer=communes-2025&area={first}")
        assert tab.locator("h1").inner_text().startswith("</script><img src=x onerror=alert(1)>{{7*7}}")
        ready(tab, f"{site.as_uri()}/index.html#area={first}")
        assert tab.evaluate("document.querySelectorAll('main img[src=x]').length") == 0
        seen.check()


def test_choices_change_the_map_and_live_in_the_address(site: Path) -> None:
    with page(DESKTOP) as (tab, seen):
        ready(tab, urls(site)["overview"])
        tab.select_option("#operator", "Viettel")
        tab.select_option("#technology", "5g")
        tab.select_option("#kpi", "downlink")
        until(tab, "document.querySelector('#status').textContent.includes('Viettel')")
        assert "operator=Viettel" in tab.url
        assert "kpi=downlink" in tab.url
        until(tab, "document.querySelector('#legend').textContent.includes('Mbit/s')")
        here = tab.url
        ready(tab, here)
        assert tab.locator("#operator").input_value() == "Viettel"
        assert tab.locator("#panel-title").inner_text() == "Tốc độ tải xuống · Viettel · 5G"
        # A month by the slider, with the keyboard.
        tab.focus("#period")
        tab.keyboard.press("ArrowLeft")
        until(tab, "location.hash.includes('period=2026-')")
        until(tab, "document.querySelector('#status').textContent.includes('tháng')")
        seen.check()


def test_what_changed_is_told_with_its_interval(site: Path) -> None:
    with page(DESKTOP) as (tab, seen):
        ready(tab, f"{site.as_uri()}/index.html#kpi=downlink&lang=en")
        told = tab.locator("#panel-body details").first.inner_text()
        assert "What changed: October 2026 against September 2026" in told
        assert "−30%\nworse · −40 … −20%" in told
        assert "+20%\nbetter · +10 … +30%" in told
        count = len(gazetteer()[2].areas) - 2
        assert f"{count} other comparisons show no clear change" in told
        # Another month than the one compared says nothing of it.
        ready(tab, f"{site.as_uri()}/index.html#kpi=downlink&period=2026-09&lang=en")
        assert "What changed" not in tab.locator("#panel-body").inner_text()
        seen.check()


def test_a_station_has_weeks_parts_of_the_day_and_its_area_beside_it(site: Path) -> None:
    with page(DESKTOP) as (tab, seen):
        ready(tab, f"{site.as_uri()}/station.html#station=HP-0001&lang=en")
        heads = tab.locator("h2").all_inner_texts()
        for wanted in ("By week", "By part of the day", "Distribution of results"):
            assert wanted in heads
        steps = tab.locator("svg[aria-label='Distribution of results'] polyline").get_attribute("points").split()
        floor = max(float(step.split(",")[1]) for step in steps)
        # Down to the axis at both ends and on both sides of the gap.
        assert sum(float(step.split(",")[1]) == floor for step in steps) == 4
        tab.select_option("#plot-kpi", "rsrp")
        assert "By week" not in tab.locator("h2").all_inner_texts()
        ready(tab, f"{site.as_uri()}/station.html#station=HP-0059&lang=en")
        assert "By week" not in tab.locator("h2").all_inner_texts(), "two devices are too few to be shown"
        seen.check()


def test_every_theme_can_be_left_and_come_back_to(site: Path) -> None:
    with page(DESKTOP) as (tab, seen):
        ready(tab, urls(site)["overview"])
        for theme in ("density", "areas", "hexagons", "density", "coverage", "areas", "density"):
            tab.evaluate("(theme) => haidang.change({ theme })", theme)
            assert tab.locator("canvas.leaflet-heatmap-layer").count() == (theme == "density"), theme
        seen.check()


def test_numbers_follow_the_language(site: Path) -> None:
    with page(DESKTOP) as (tab, seen):
        ready(tab, urls(site)["overview"])
        assert tab.evaluate("haidang.num(1234.5, 1)") == "1.234,5"
        assert tab.evaluate("haidang.num(-3)") == "\u22123"
        tab.click("#switch-language")
        assert tab.evaluate("haidang.num(1234.5, 1)") == "1,234.5"
        seen.check()


def test_a_table_row_leads_to_the_area_and_its_page(site: Path) -> None:
    with page(DESKTOP) as (tab, seen):
        ready(tab, urls(site)["overview"])
        button = tab.locator("#panel-body tbody button.link").first
        name = button.inner_text()
        button.focus()
        tab.keyboard.press("Enter")
        tab.wait_for_selector(".leaflet-popup h3")
        assert tab.locator(".leaflet-popup h3").inner_text() == name
        assert "Khoảng tin cậy 95%" in tab.locator(".leaflet-popup").inner_text()
        tab.click(".leaflet-popup a[href^='area.html']")
        until(tab, "document.documentElement.dataset.ready")
        assert tab.locator("h1").inner_text() == name
        seen.check()


def test_search_finds_without_accents_and_stations_too(site: Path) -> None:
    with page(DESKTOP) as (tab, seen):
        ready(tab, urls(site)["overview"], "usable")
        tab.fill("#search", "do son")
        tab.press("#search", "Enter")
        tab.wait_for_selector(".leaflet-popup h3")
        assert "Đồ Sơn" in tab.locator(".leaflet-popup h3").inner_text()
        tab.fill("#search", "HP-0007")
        until(tab, "document.querySelector('.leaflet-popup h3').textContent === 'HP-0007'")
        seen.check()


def test_tables_sort_and_say_so(site: Path) -> None:
    with page(DESKTOP) as (tab, seen):
        ready(tab, urls(site)["overview"])
        heading = tab.locator("#panel-body thead th").nth(3)
        heading.locator("button").click()
        assert heading.get_attribute("aria-sort") == "descending"
        shown = [
            int(cell.replace(".", "").replace("–", "0"))
            for cell in tab.locator("#panel-body .table").first.locator("tbody tr td:last-child").all_inner_texts()
        ]
        assert shown[:20] == sorted(shown[:20], reverse=True)
        heading.locator("button").click()
        assert heading.get_attribute("aria-sort") == "ascending"
        seen.check()


def test_hexagons_answer_a_click_and_hold_back_what_is_thin(site: Path) -> None:
    with page(DESKTOP) as (tab, seen):
        ready(tab, f"{site.as_uri()}/index.html#theme=hexagons&over=&at=14/20.85/106.68")
        box = tab.locator("#map_haidang").bounding_box()
        for step in range(40):
            tab.mouse.click(
                box["x"] + box["width"] / 2 + (step % 8) * 23, box["y"] + box["height"] / 2 + (step // 8) * 19
            )
            if (
                tab.locator(".leaflet-popup h3").count()
                and "Ô lưới" in tab.locator(".leaflet-popup h3").last.inner_text()
            ):
                break
        text = tab.locator(".leaflet-popup").last.inner_text()
        assert "Mbit/s" in text
        assert "≥" in text, "counts are banded"
        seen.check()


def test_far_island_does_not_shrink_the_view(site: Path) -> None:
    with page(DESKTOP) as (tab, seen):
        ready(tab, urls(site)["overview"], "usable")
        button = tab.locator(".far button")
        assert "Bạch Long Vĩ" in button.inner_text()
        east = tab.evaluate("Number(haidang.site().box[1])")
        assert east < 107.5
        button.click()
        until(tab, "Number(haidang.hash.read().at.split('/')[2]) > 107.5")
        seen.check()


def test_nothing_computed_is_told_on_every_page(empty: Path) -> None:
    with page(PHONE) as (tab, seen):
        for name in ("index.html", "progress.html", "about.html"):
            ready(tab, f"{empty.as_uri()}/{name}")
            assert "Chưa tính" in tab.locator("main").inner_text(), name
            assert violations(tab) == [], name
        seen.check()
