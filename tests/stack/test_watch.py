"""End to end: a simulated fault through the real collector, analysis, Prometheus, Alertmanager and web hook."""

import json
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.__main__ import FOLDER
from grafana.layers import WATCHED
from grafana.rules import ALERTS
from stack.drill import AREA, OPERATOR, Drill
from stack.run import Stack, own
from stack.webhook import Message
from tests.servers.loopback import http

SCALE = 1 / 60
"""An hour of the rules' windows is a minute here; a `for` of two minutes is two seconds."""
PATIENCE_S = 150.0
"""Not the promise, but what a machine under full load may need."""


NOT_OURS = {"Heartbeat", "DiskFillsUp"}
"""One always fires; the other speaks of this machine's disk, which others fill: rules_test.yml holds it."""


@pytest.fixture(scope="module")
def drill() -> Drill:
    return Drill(datetime.now(UTC))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, drill: Drill) -> Iterator[Stack]:
    watched = Stack(tmp_path_factory.mktemp("stack"), scale=SCALE, is_free=True, has_probe=False)
    drill.remember(watched)
    with watched:
        yield watched


def ask(stack: Stack, path: str) -> Any:
    reply = http("GET", f"{stack.url('prometheus')}/api/v1/{path}")
    assert reply.status == 200, reply.text
    return reply.data["data"]


def firing(stack: Stack) -> set[tuple[str, str, str]]:
    """Name what fires, without the heartbeat, which always does."""
    found = [a["labels"] for a in ask(stack, "alerts")["alerts"] if a["state"] == "firing"]
    return {(a["alertname"], a.get("area", ""), a.get("operator", "")) for a in found if a["alertname"] not in NOT_OURS}


def ever_fired(stack: Stack) -> set[tuple[str, str]]:
    """Name everything that fired since the stack began, without the heartbeat."""
    expr = urllib.parse.quote('count_over_time(ALERTS{alertstate="firing"}[1h])')
    found = [row["metric"] for row in ask(stack, f"query?query={expr}")["result"]]
    return {(a["alertname"], a.get("area", "")) for a in found if a["alertname"] not in NOT_OURS}


def wait_for(what: str, is_so: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:g} s for {what}"
        time.sleep(0.3)
    return found


def pages(stack: Stack, status: str, route: str = "page") -> list[Message]:
    told = [m for m in list(stack.webhook.messages) if m.route.startswith(route) and m.status == status]
    ours = [m._replace(alerts=[a for a in m.alerts if a["labels"]["alertname"] not in NOT_OURS]) for m in told]
    return [m for m in ours if m.alerts or route == "heartbeat"]


def admitted(stack: Stack, peer: str) -> float:
    """Return how many tests a peer has let in."""
    text = urllib.request.urlopen(stack.url(peer) + "/metrics", timeout=30).read().decode()
    lines = [line for line in text.splitlines() if line.startswith('haidang_peer_tests_total{outcome="admitted"}')]
    return sum(float(line.split()[-1]) for line in lines)


def carried_out(stack: Stack, probe: str) -> dict[str, Any]:
    """Let a real agent stand in for a simulated fixed probe; return the record of the retest it was asked for."""
    folder = stack.folder / "retest"
    folder.mkdir()
    added = [own("haidang-collector"), "token", "add", probe, "--archive", stack.archive]
    token = subprocess.run(added, capture_output=True, text=True, check=True).stdout.split()[-1]
    (folder / "token").touch(mode=0o600)
    (folder / "token").write_text(token)
    # A token made by another process counts within two seconds; an agent asks for tasks when it starts.
    bearer = {"Authorization": f"Bearer {token}"}
    wait_for("the token", lambda: http("GET", f"{stack.url('collector')}/v1/tasks", None, bearer).status == 200)
    command = [own("haidang-probe"), "run", "--json", "--peer", stack.url("peer"), "--collector",
               stack.url("collector"), "--token-file", folder / "token", "--probe-id", probe, "--spool",
               folder / "spool.sqlite", "--test-bytes", "4000000"]  # fmt: skip
    with (folder / "log").open("wb") as log:
        agent = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=log)
    watchdog = threading.Timer(PATIENCE_S, agent.kill)
    watchdog.start()
    try:
        assert agent.stdout is not None
        for line in agent.stdout:
            if str((record := json.loads(line)).get("campaign")).startswith("retest"):
                return dict(record)
        raise AssertionError(f"no retest: {(folder / 'log').read_text('utf-8')[-1000:]}")
    finally:
        watchdog.cancel()
        agent.terminate()
        agent.communicate(timeout=30)


Look = Callable[[float], list[dict[str, Any]]]


@pytest.fixture
def look(stack: Stack, drill: Drill) -> Iterator[Look]:
    with drill.watching(stack) as looking:
        yield looking


FAULT = {("AreaDegradedMajor", AREA, OPERATOR)}
PROMISE_MIN = 15
"""Simulated minutes from the fault's beginning to the web hook, at some 60 tests an hour of the district's operator."""


def windows_min() -> float:
    """Add up how long scrape, rules and grouping may hold a page back, by the files that are deployed."""
    prometheus = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yml").read_text("utf-8"))["global"]
    routes = yaml.safe_load((FOLDER / "alertmanager" / "alertmanager.yml").read_text("utf-8"))["route"]["routes"]
    (row,) = (alert for alert in ALERTS if alert.id == "AreaDegradedMajor")
    own = [f'scope="{row.scope}"', f'severity="{row.severity}"']
    (wait,) = (route["group_wait"] for route in routes if route["matchers"] == own)
    spans = (prometheus["scrape_interval"], prometheus["evaluation_interval"], row.wait.strip("<>"), wait)
    return sum(int(span[:-1]) / {"s": 60, "m": 1}[span[-1]] for span in spans)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_fault_of_one_district_is_told_once_in_both_languages_and_resolves(
    stack: Stack, drill: Drill, look: Look
) -> None:
    look(0)
    wait_for("the heartbeat", lambda: pages(stack, "firing", "heartbeat"))
    assert firing(stack) == set(), "nothing fires before the fault"

    sent = 0.0
    for minute in range(4, PROMISE_MIN, 4):
        drill.send(stack, sent, minute / 60)
        sent = minute / 60
        if any(row["severity"] == 2 and row["area"] == AREA for row in look(sent)):
            break
    began = time.monotonic()
    waits = windows_min()
    assert minute + waits <= PROMISE_MIN, f"told after {minute} min, and {waits} min of waiting"
    wait_for("InfluxDB to have it", lambda: not sum(v for _, v in lag(stack)))
    wait_for("the alert", lambda: firing(stack) == FAULT)
    page = wait_for("the page", lambda: pages(stack, "firing"))[0]
    print(
        f"the analysis told it {minute} min after the fault began; scrape, rules and grouping wait at most {waits:g}"
        f" min; measured from its word to the page: {time.monotonic() - began:.1f} s at a scale of 1/60"
    )

    assert [a["labels"]["alertname"] for a in page.alerts] == ["AreaDegradedMajor"]
    assert page.group == {"scope": "area", "severity": "critical", "operator": OPERATOR}
    text = "\n".join(page.lines())
    assert "Viettel, Huyện Vĩnh Bảo: kém ít nhất 30 % so với trước đây." in text
    assert "at least 30 % worse than its own past" in text

    retests = [m for m in stack.webhook.messages if m.route == "retest"]
    routes = [m.route for m in stack.webhook.messages if m.alerts[0]["labels"]["alertname"] == "AreaDegradedMajor"]
    assert routes.index("retest") < routes.index("page"), "retest before page"
    assert retests[0].alerts[0]["labels"]["area"] == AREA
    ordered = [json.loads(line) for line in (stack.folder / "messages.ndjson").read_text("utf-8").splitlines()]
    probes = next(row["retests"] for row in ordered if row["route"] == "retest")
    assert probes, "fixed probes of the area are asked to test against the second peer"
    assert admitted(stack, "second-peer") == 0
    record = carried_out(stack, probes[0])
    assert record["campaign"] == f"retest {WATCHED} {AREA}"
    assert record["outcome"] == {"status": "complete"}
    assert admitted(stack, "second-peer") > 0, "against the second peer"

    over = None
    for hour in (1, 1.5, 2, 3, 4, 5, 6):
        drill.send(stack, sent, hour)
        sent = hour
        rows = look(hour)
        if over is None and all(row["severity"] == 0 for row in rows if row["area"] == AREA):
            over = hour
        if all(row["severity"] == 0 for row in rows):
            break
    else:
        pytest.fail("places with fewer tests were not over five hours after the fault")
    assert over is not None
    assert 1 < over <= 2, "an hour's fault of a district is over an hour after it ended"
    print(f"the analysis told the district's end {60 * (over - 1):g} min after the fault's, its places' by hour {hour}")
    wait_for("the resolution", lambda: pages(stack, "resolved"))
    wait_for("silence", lambda: not firing(stack))
    assert {name for name, _ in ever_fired(stack)} <= {"AreaDegradedMajor", "AreaDegraded"}
    assert {area for _, area in ever_fired(stack)} == {AREA}
    assert len(pages(stack, "firing")) == 1, "one page"


def lag(stack: Stack) -> list[tuple[str, float]]:
    """Give the lag of each sink."""
    text = urllib.request.urlopen(stack.url("collector") + "/metrics", timeout=30).read().decode()
    rows = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("haidang_sink_lag_records{")]
    return [(name, float(value)) for name, value in rows]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_dead_peer_is_our_fault_and_no_districts(stack: Stack) -> None:
    # What another test left behind, even one that failed midway, is not this one's.
    left, told = firing(stack), len(stack.webhook.messages)
    stack.servers["peer"].stop()
    try:
        down = ("PeerDown", "", "")
        page = wait_for("the page", lambda: [m for m in pages(stack, "firing") if m.group.get("scope") == "server"])[0]
        assert {a["labels"]["alertname"] for a in page.alerts} == {"PeerDown"}
        assert firing(stack) - left == {down}
        since = stack.webhook.messages[told:]
        assert [m for m in since if m.route.startswith("page") and m.group.get("scope") == "area"] == []
    finally:
        stack.servers["peer"].start()
    wait_for("silence", lambda: down not in firing(stack))


def test_secrets_are_for_their_owner_only(stack: Stack) -> None:
    for path in Path(stack.folder / "secrets").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
