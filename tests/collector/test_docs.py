"""What is written is what is there: doors, refusals, metrics, keys of the configuration, the sample."""

import re
from pathlib import Path

import msgspec
import pytest

from collector.app import ROUTES
from collector.config import Deployment, LayerSource, Limits, load, read_layers
from collector.metrics import METRICS
from collector.replies import REFUSALS
from collector.sinks import lines
from measurement.errors import ConfigError

DOCS = Path(__file__).parents[2] / "docs"
API, OPERATIONS = (DOCS / "api.md").read_text("utf-8"), (DOCS / "operations.md").read_text("utf-8")
INFLUXDB = (DOCS / "influxdb.md").read_text("utf-8")
SAMPLE = Path(__file__).parents[2] / "collector" / "sample.toml"


def table(text: str, heading: str) -> list[list[str]]:
    lines = text.split(f"\n## {heading}\n")[1].split("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return rows[1:]


def test_every_door_is_told_with_who_may() -> None:
    told = {row[0].strip("`"): row[1] for row in table(API, "Doors")}
    assert set(told) == {f"{route.method} {route.path}" for route in ROUTES}
    for route in ROUTES:
        if route.role is not None:
            assert told[f"{route.method} {route.path}"] == route.role.value


def test_every_refusal_is_told_in_both_languages() -> None:
    told = {row[0].strip("`"): row[1:] for row in table(API, "Refusals")}
    assert told == {code: [str(r.status), r.en, r.vi] for code, r in REFUSALS.items()}


def test_every_metric_is_told() -> None:
    told = [(row[0].strip("`"), row[1], row[4]) for row in table(OPERATIONS, "Metrics")]
    assert told == [(m.name, m.type.value, m.help) for m in METRICS]


def test_metrics_are_named_by_the_conventions() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"haidang_[a-z0-9_]+", metric.name)
        assert (metric.type.value == "counter") == metric.name.endswith("_total"), metric.name
        unit = metric.unit.replace(" ", "_")
        assert not unit or f"_{unit}" in metric.name, metric.name


def test_every_key_of_the_configuration_is_told_and_in_the_sample() -> None:
    sample = SAMPLE.read_text("utf-8")
    for struct in (Deployment, LayerSource, Limits):
        for name in struct.__struct_fields__:
            assert f"`{name}`" in OPERATIONS or f"[[{name}]]" in OPERATIONS, name
            assert re.search(rf"^(# )?(\[+)?{name}\b", sample, re.MULTILINE), name


def test_the_tags_of_influxdb_are_told() -> None:
    told = {row[0].strip("`"): set(re.findall(r"`([a-z_]+)`", row[2])) for row in table(INFLUXDB, "What is written")}
    assert told["test"] == set(lines.TAGS)
    assert told["rating"] == {*lines.RATING_TAGS, "period", "is_simulated"}


def test_the_sample_says_the_defaults() -> None:
    assert load(SAMPLE) == Deployment()


def test_the_sample_with_every_example_taken_up_is_right_too(tmp_path: Path) -> None:
    text = re.sub(r"^# (?=\[|\"?[a-z0-9_-]+\"? = )", "", SAMPLE.read_text("utf-8"), flags=re.MULTILINE)
    (tmp_path / "all.toml").write_text(text, "utf-8")
    deployment = load(tmp_path / "all.toml")
    assert deployment.layers[0].valid_from is not None
    assert deployment.sinks["influx"]["url"]


def layer(name: str) -> str:
    return f'[[layers]]\nkey = "{name}"\npath = "{name}.geojson"\ntitle_en = "A"\ntitle_vi = "A"\n'


BAD = {
    "limits.toml": ("[limits]\nbody_byte = 1\n", r"body_byte.*\$\.limits"),
    "type.toml": ('retention_days = "x"\n', r"\$\.retention_days"),
    "zone.toml": ('time_zone = "Mars/Olympus"\n', r"\$\.time_zone: Invalid time zone 'Mars/Olympus'"),
    "toml.toml": ("a = = 1\n", r"Invalid TOML"),
    "layer.toml": (layer("none"), r"\$\.layers\[0\]\.path"),
    "twice.toml": (layer("a") * 2, r"\$\.layers\[1\]\.key.*twice"),
    "broken.toml": (layer("b"), r"\$\.layers\[0\]\.path: b\.geojson: \$\.features"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_configuration_names_the_key(name: str, tmp_path: Path) -> None:
    text, message = BAD[name]
    (tmp_path / name).write_text(text, "utf-8")
    ring = [[106, 20], [107, 20], [107, 21], [106, 20]]
    feature = {
        "type": "Feature",
        "properties": {"code": "1", "name": "x"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    (tmp_path / "a.geojson").write_bytes(msgspec.json.encode({"type": "FeatureCollection", "features": [feature]}))
    (tmp_path / "b.geojson").write_text("{}")
    with pytest.raises(ConfigError, match=message):
        read_layers(load(tmp_path / name), tmp_path)


def test_the_command_tells_it_in_one_line(tmp_path: Path) -> None:
    import subprocess
    import sys

    (tmp_path / "c.toml").write_text("[limits]\nbody_byte = 1\n")
    for words in (["check", "c.toml"], ["serve", "--archive", "a", "--config", "c.toml"]):
        done = subprocess.run([sys.executable, "-m", "collector", *words], cwd=tmp_path, capture_output=True, text=True,
                              env={"PYTHONPATH": str(DOCS.parent), "PATH": "/usr/bin:/bin"})  # fmt: skip
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1
        assert "body_byte" in done.stderr
