"""What may be read: media types, filters, pages, ETags, privacy floors, the description, the site."""

import csv
import io
import random
import time
from urllib.parse import urlencode

import polars as pl
import pytest

from archive.store import Archive
from measurement.record import Network
from measurement.vocabulary import Technology
from tests.archive.sample import records
from tests.collector.running import Running

BUREAU = "Sở Khoa học và Công nghệ"


def rating(
    area: str, *, samples: int, devices: int, value: float = 4e7, layer: str = "districts-2024"
) -> dict[str, object]:
    return {
        "layer": layer, "area": area, "operator": "Viettel", "technology": "4g", "period": "all", "kpi": "downlink",
        "statistic": "median", "value": value, "low": value * 0.9, "high": value * 1.1, "samples_count": samples,
        "devices_count": devices, "effective_count": 9.5, "needed_count": 0, "status": "rated", "grade": None,
        "rank_low": 1, "rank_high": 2, "is_simulated": False,
    }  # fmt: skip


def score(area: str, value: float, period: str) -> dict[str, object]:
    row = rating(area, samples=500, devices=50, value=value)
    return row | {"kpi": "score", "statistic": "score", "grade": "B", "period": period}


@pytest.fixture(scope="module")
def published(collector: Running) -> Running:
    with Archive(collector.folder) as archive:
        keys = [area.key for area in next(la for la in archive.layers() if la.key == "districts-2024").areas][:4]
        ratings = [rating(key, samples=100, devices=20) for key in keys[:2]]
        ratings += [rating(keys[2], samples=4, devices=4), rating(keys[3], samples=90, devices=2)]
        ratings += [score(keys[0], 70.0, "2026-05"), score(keys[0], 72.0, "2026-06"), score(keys[0], 71.0, "all")]
        ratings += [score(keys[0], 1.0, "2026-06") | {"statistic": "weight"}]
        archive.write_result("area_ratings", pl.DataFrame(ratings))
        archive.write_result(
            "degraded",
            pl.DataFrame(
                [
                    {
                        "layer": "districts-2024",
                        "area": keys[0],
                        "operator": "Viettel",
                        "technology": "4g",
                        "severity": 2,
                        "since": "2026-06-01",
                        "drop_ratio": 0.3,
                        "blame": "network",
                    }
                ]
            ),
        )
        archive.write_result("hexagons", pl.DataFrame([
            {"h3_cell": cell, "resolution": 9, "operator": "Viettel", "technology": "4g", "period": "all",
             "kpi": "downlink", "value": 3e7, "p10": 1e7, "samples_count": count, "devices_count": count,
             "needed_count": 0, "status": "rated", "is_simulated": True}
            for cell, count in (("89411cb6803ffff", 30), ("89411cb6807ffff", 2))]))  # fmt: skip
    return collector


def test_layers_and_areas_come_with_their_shapes(collector: Running) -> None:
    layers = collector.call("GET", "/v1/areas").json["layers"]
    assert {"districts-2024", "communes-2025", "zones"} <= {layer["key"] for layer in layers}
    assert all(layer["is_approximate"] for layer in layers)
    shapes = collector.call("GET", "/v1/areas/districts-2024", headers={"Accept": "application/geo+json"})
    assert shapes.headers["content-type"] == "application/geo+json"
    assert shapes.json["features"][0]["geometry"]["type"] == "MultiPolygon"
    assert shapes.json["features"][0]["properties"]["name"]
    assert collector.call("GET", "/v1/areas/nowhere").status == 404


def test_values_below_the_floor_are_withheld_and_counts_are_not(published: Running) -> None:
    rows = published.call("GET", "/v1/ratings/areas?kpi=downlink").json["ratings"]
    assert [row["value"] is None for row in rows] == [False, False, True, True]
    assert [row["low"] is None for row in rows] == [False, False, True, True]
    assert [row["samples_count"] for row in rows] == [100, 100, 4, 90]
    cells = published.call("GET", "/v1/hexagons").json["hexagons"]
    assert [cell["h3_cell"] for cell in cells] == ["89411cb6803ffff"]


def test_ratings_as_csv_and_geojson_say_the_same(published: Running) -> None:
    rows = published.call("GET", "/v1/ratings/areas?kpi=downlink").json["ratings"]
    text = published.call("GET", "/v1/ratings/areas?kpi=downlink", headers={"Accept": "text/csv"})
    assert text.headers["content-type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(text.body.decode())))
    assert [r["area"] for r in table] == [r["area"] for r in rows]
    assert float(table[0]["value"]) == rows[0]["value"]
    assert table[2]["value"] == ""
    shapes = published.call("GET", "/v1/ratings/areas?kpi=downlink&format=geojson").json
    assert [f["properties"] for f in shapes["features"]] == rows
    assert shapes["features"][0]["geometry"]["type"] == "MultiPolygon"


def test_filters_and_pages(published: Running) -> None:
    assert published.call("GET", "/v1/ratings/areas?operator=MobiFone").json["count"] == 0
    first = published.call("GET", "/v1/ratings/areas?limit=2")
    assert (len(first.json["ratings"]), first.json["next"]) == (2, "2")
    assert 'rel="next"' in first.headers["link"]
    last = published.call("GET", "/v1/ratings/areas?limit=2&after=4").json
    assert (len(last["ratings"]), last["next"]) == (2, "6")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/ratings/areas?limit=0", 422, "parameter-invalid"),
        ("/v1/ratings/areas?limit=x", 422, "parameter-invalid"),
        ("/v1/ratings/areas?opertor=Viettel", 422, "parameter-invalid"),
        ("/v1/areas?format=geojson", 422, "parameter-invalid"),
        ("/v1/participation?layer=nowhere", 404, "not-found"),
    ],
)
def test_a_wrong_parameter_is_no_answer(collector: Running, path: str, status: int, code: str) -> None:
    reply = collector.call("GET", path)
    assert (reply.status, reply.json["code"]) == (status, code)


def test_what_cannot_be_made_is_told(collector: Running) -> None:
    assert collector.call("GET", "/v1/areas", headers={"Accept": "image/png"}).status == 406
    assert collector.call("GET", "/v1/areas", headers={"Accept": "image/png, */*;q=0.1"}).status == 200


def test_an_etag_saves_the_body(published: Running) -> None:
    first = published.call("GET", "/v1/ratings/areas")
    again = published.call("GET", "/v1/ratings/areas", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    other = published.call("GET", "/v1/ratings/areas?format=csv", headers={"If-None-Match": first.headers["etag"]})
    assert other.status == 200


def test_participation_counts_devices_not_only_tests(collector: Running) -> None:
    for index in range(3):
        name = f"device-{index}"
        token = collector.token(name)
        sent = records(4, seed=50 + index, probe_id=name, organisation=BUREAU, is_simulated=True)
        for _ in range(100):
            if collector.post(sent, token).status == 202:
                break
            time.sleep(0.05)
    rows = collector.call("GET", "/v1/participation?layer=provinces-2025&" + urlencode({"organisation": BUREAU})).json
    assert sum(r["samples_count"] for r in rows["participation"]) == 12
    assert max(r["devices_count"] for r in rows["participation"]) == 3
    assert all(r["is_simulated"] for r in rows["participation"])


def test_gauges_of_areas_follow_the_records_and_the_analysis(published: Running, probe: str) -> None:
    noise = Network(operator="VinaPhone", mcc="452", mnc="02", technology=Technology.LTE)
    sent = records(30, seed=60, network=noise, position=records(1, seed=61)[0].position)
    published.post(sent, probe)
    metrics = published.metrics()
    name = "haidang_area_downlink_goodput_bits_per_second"
    found = [v for k, v in metrics.items() if k.startswith(name) and 'operator="VinaPhone"' in k and "provinces" in k]
    # Tests of one probe under 30 s apart are flagged and do not count: the gauge is the median of the others.
    kept = sorted(r.throughput.downlink.goodput_bps for r in sent)  # type: ignore[union-attr]
    assert len(found) == 1
    assert kept[0] <= found[0] <= kept[-1]
    scores = {k: v for k, v in metrics.items() if k.startswith("haidang_area_rating_score")}
    assert list(scores.values()) == [72.0]
    assert [v for k, v in metrics.items() if k.startswith("haidang_area_degraded")] == [2.0]


def test_the_site_and_the_page_are_served(collector: Running) -> None:
    assert "Hải Đăng" in collector.call("GET", "/").body.decode()
    page = collector.call("GET", "/v1/")
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.body.decode().replace("http://json-schema.org", "")
    assert collector.call("GET", "/missing.html").status == 404
    assert collector.call("GET", "/../../etc/passwd").status == 404


def test_a_method_that_is_not_there(collector: Running) -> None:
    reply = collector.call("PUT", "/v1/records")
    assert (reply.status, reply.json["code"]) == (405, "method-not-allowed")
    assert "POST" in reply.headers["allow"]


def test_a_city_of_noise_keeps_the_series_bounded() -> None:
    from collector.metrics import Metrics
    from collector.settled import note_of
    from collector.window import MOST_SERIES, Window

    metrics, noise = Metrics(), random.Random(1)
    window = Window(metrics, ["x"])
    for index in range(MOST_SERIES + 50):
        (sent,) = records(1, seed=noise.randrange(2**30))
        window.add([note_of(sent, [f"area-{index}"], [])])
    window.export(max(r.started_at for r in [sent]))
    series = [s for m in metrics.registry.collect() if m.name == "haidang_area_samples" for s in m.samples]
    assert len(series) <= MOST_SERIES
    assert metrics.value("haidang_area_series_dropped") == 50
