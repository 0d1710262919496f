"""Who may: roles, codes, revocation, guessing, tickets, proxies, limits."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from archive.store import Archive
from collector import tables
from collector.access import Access, Role
from collector.limits import Limiter, Rate
from collector.ticket import LIFE_S, Tickets, secret_of
from measurement.errors import ConfigError
from measurement.record import Position
from measurement.vocabulary import Mode, PositionSource
from tests.archive.sample import records
from tests.collector.running import Running, array

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def access(tmp_path: Path) -> Access:
    archive = Archive(tmp_path / "a", create=True)
    tables.prepare(archive)
    return Access(archive)


def test_a_token_opens_and_a_wrong_one_does_not(access: Access) -> None:
    token = access.add("probe-1", Role.PROBE)
    assert access.identify(token) == ("probe-1", Role.PROBE)
    assert access.identify(token[:-1] + ("A" if token[-1] != "A" else "B")) is None
    assert access.identify("hd_0123456789abcdef_" + token[-43:]) is None
    assert access.identify("") is None


def test_no_secret_is_stored(access: Access, tmp_path: Path) -> None:
    token, code = access.add("probe-1", Role.PROBE), access.code("probe-2")
    raw = b"".join(p.read_bytes() for p in (tmp_path / "a").glob("catalogue*"))
    assert token[-43:].encode() not in raw
    assert code.encode() not in raw
    assert code.replace("-", "").encode() not in raw


def test_a_code_is_good_once(access: Access) -> None:
    code = access.code("office-17")
    name, token = access.enrol(code.lower()) or ("", "")
    assert name == "office-17"
    assert access.identify(token) == ("office-17", Role.PROBE)
    assert access.enrol(code) is None
    assert access.enrol("AAAA-AAAA-AAAA-AAAA") is None


def test_enrolling_anew_ends_the_old_token(access: Access) -> None:
    _, old = access.enrol(access.code("office-17")) or ("", "")
    _, new = access.enrol(access.code("office-17")) or ("", "")
    assert access.identify(old) is None
    assert access.identify(new) is not None


def test_an_old_code_is_void(access: Access) -> None:
    code = access.code("office-17")
    access._archive.connection.execute("UPDATE codes SET expires_at = '2020-01-01T00:00:00+00:00'")
    assert access.enrol(code) is None


def test_revoking_ends_tokens_and_codes(access: Access) -> None:
    token, code = access.add("probe-1", Role.PROBE), access.code("probe-1")
    assert access.revoke("probe-1") == 1
    assert access.identify(token) is None
    assert access.enrol(code) is None
    assert access.revoke("probe-1") == 0


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 65, "é"])
def test_a_name_must_be_able_to_stand_as_probe_id(access: Access, name: str) -> None:
    with pytest.raises(ConfigError, match="Invalid name"):
        access.add(name, Role.PROBE)


def test_a_token_file_admits_and_says_which_line_is_bad(access: Access) -> None:
    access.admit_file("# demo\nprobe-9 probe 0123456789abcdef0123\n")
    assert access.identify("0123456789abcdef0123") == ("probe-9", Role.PROBE)
    with pytest.raises(ConfigError, match="line 2"):
        access.admit_file("a probe 0123456789abcdef\nb king 0123456789abcdef\n")


def test_a_limiter_lets_a_burst_through_and_then_the_rate() -> None:
    clock = [0.0]
    limiter = Limiter(Rate(2.0, 3.0), lambda: clock[0])
    assert [limiter.wait_s("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert limiter.wait_s("b") == 0
    clock[0] = 0.5
    assert limiter.wait_s("a") == 0
    assert limiter.blocked_s("a") == 0.5


def test_a_ticket_is_good_once_and_for_a_while() -> None:
    now = [datetime(2026, 5, 1, tzinfo=UTC)]
    tickets = Tickets(b"s" * 32, lambda: now[0])
    ticket = tickets.make()
    nonce = tickets.nonce_of(ticket)
    assert nonce is not None
    assert tickets.nonce_of(ticket[:-1] + ("0" if ticket[-1] != "0" else "1")) is None
    assert Tickets(b"t" * 32, lambda: now[0]).nonce_of(ticket) is None
    tickets.spend(nonce)
    assert tickets.nonce_of(ticket) is None
    late = tickets.make()
    now[0] += timedelta(seconds=LIFE_S)
    assert tickets.nonce_of(late) is None


def test_the_secret_of_tickets_is_for_its_owner_only(tmp_path: Path) -> None:
    secret = secret_of(None, tmp_path)
    assert secret == secret_of(None, tmp_path)
    assert (tmp_path / "ticket.secret").stat().st_mode & 0o777 == 0o600
    (tmp_path / "short").write_text("abc")
    with pytest.raises(ConfigError, match="At least 32"):
        secret_of(str(tmp_path / "short"), tmp_path)


def test_enrolment_over_http(collector: Running) -> None:
    with Archive(collector.folder) as archive:
        code = Access(archive).code("office-3")
    reply = collector.call("POST", "/v1/enrol", body=msgspec.json.encode({"code": code}), headers=JSON)
    assert reply.status == 200
    assert reply.json["probe_id"] == "office-3"
    sent = records(1, seed=30, probe_id="office-3")
    assert collector.post(sent, reply.json["token"]).status == 202
    again = collector.call("POST", "/v1/enrol", body=msgspec.json.encode({"code": code}), headers=JSON)
    assert (again.status, again.json["code"]) == (403, "code-unknown")


def test_roles_are_kept_apart(collector: Running, probe: str, admin: str) -> None:
    reader = collector.token("dashboard", Role.READER)
    for _ in range(60):
        if collector.call("GET", "/v1/probes", token=reader).status == 200:
            break
        time.sleep(0.05)
    assert collector.call("GET", "/v1/probes", token=probe).status == 403
    assert collector.call("POST", "/v1/records", token=reader, body=b"[]", headers=JSON).status == 403
    assert collector.call("PATCH", "/v1/probes/probe-1", token=reader, body=b"{}", headers=JSON).status == 403
    assert collector.call("GET", "/v1/probes", token=admin).status == 200


def test_revocation_reaches_a_running_collector(collector: Running, admin: str) -> None:
    token = collector.token("lost")
    deadline = time.monotonic() + 10
    # Failed attempts are limited, and the tests before this one have used some: ask seldom.
    while collector.call("GET", "/v1/tasks", token=token).status != 200 and time.monotonic() < deadline:
        time.sleep(1.1)
    assert collector.call("DELETE", "/v1/probes/lost/token", token=admin).status == 204
    assert collector.call("GET", "/v1/tasks", token=token).status == 401
    assert collector.call("DELETE", "/v1/probes/lost/token", token=admin).status == 404


def test_probes_are_listed_renamed_and_their_backlog_known(collector: Running, probe: str, admin: str) -> None:
    collector.post(records(2, seed=31), probe, **{"Haidang-Backlog": "41"})
    named = collector.call(
        "PATCH", "/v1/probes/probe-1", token=admin, body='{"title":"Văn phòng 1"}'.encode(), headers=JSON
    )
    assert named.json["title"] == "Văn phòng 1"
    found = collector.call("GET", "/v1/probes/probe-1", token=admin).json
    assert (found["backlog_count"], found["is_enrolled"]) == (41, True)
    assert found["last_seen_at"] > "2026"
    first = collector.call("GET", "/v1/probes?limit=1", token=admin).json
    second = collector.call("GET", f"/v1/probes?limit=1&after={first['next']}", token=admin).json
    assert first["probes"][0]["probe_id"] < second["probes"][0]["probe_id"]


def test_tasks_reach_the_probe_they_are_for(collector: Running, probe: str, admin: str) -> None:
    for name, owner in (("all", "*"), ("mine", "probe-1"), ("theirs", "probe-2")):
        task = {"probe_id": owner, "task": {"id": name, "schedule": "every 15m", "peers": ["http://127.0.0.1:8080"]}}
        reply = collector.call("POST", "/v1/tasks", token=admin, body=msgspec.json.encode(task), headers=JSON)
        assert reply.status == 201
    found = collector.call("GET", "/v1/tasks", token=probe).json["tasks"]
    assert {t["id"] for t in found} == {"all", "mine"}
    assert collector.call("DELETE", "/v1/tasks/all", token=admin).status == 204
    assert collector.call("DELETE", "/v1/tasks/all", token=admin).status == 404


def test_a_browser_needs_a_ticket_and_its_position_is_coarsened(collector: Running, admin: str) -> None:
    tickets = Tickets(secret_of(None, collector.folder), lambda: datetime.now(UTC))
    place = Position(longitude_deg=106.712345, latitude_deg=20.812345, accuracy_m=5.0, source=PositionSource.BROWSER)
    (sent,) = records(1, seed=32, probe_id="browser", mode=Mode.BROWSER, position=place)
    ticket = {"Haidang-Ticket": tickets.make()}

    def post(body: bytes, headers: dict[str, str]) -> int:
        return collector.call("POST", "/v1/browser-records", body=body, headers=JSON | headers).status

    assert post(array([sent]), {}) == 401
    assert post(array([sent, sent]), ticket) == 413
    (scheduled,) = records(1, seed=33)
    reply = collector.call("POST", "/v1/browser-records", body=array([scheduled]), headers=JSON | ticket)
    assert reply.json["rejected"][0]["path"] == "$.mode"
    (thief,) = records(1, seed=34, probe_id="chief", mode=Mode.BROWSER)
    reply = collector.call("POST", "/v1/browser-records", body=array([thief]), headers=JSON | ticket)
    assert reply.json["rejected"][0]["path"] == "$.probe_id"
    assert post(array([sent]), ticket) == 202
    assert post(array([sent]), ticket) == 401
    with Archive(collector.folder) as archive, archive.snapshot() as snapshot:
        names = ["record_id", "position_longitude_deg", "position_accuracy_m"]
        rows = {r[0]: r[1:] for day in snapshot.days for r in snapshot.frame(day, names).rows()}
    assert rows[sent.record_id] == (106.712, 100.0)


def test_guessing_is_slowed_and_the_forwarded_address_counts_only_behind_a_proxy(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('trusted_proxies = ["127.0.0.1"]\n[limits]\naddress_failures_per_min = 5\n')
    with Running(tmp_path / "a", "--config", str(config)) as running:

        def guess(address: str) -> int:
            return running.call("GET", "/v1/tasks", token="hd_x", headers={"X-Forwarded-For": address}).status

        assert [guess("203.0.113.7") for _ in range(6)] == [401] * 5 + [429]
        assert guess("203.0.113.8") == 401
        assert guess("203.0.113.9, 203.0.113.7") == 429  # the caller may write what it likes before the proxy's own


def test_too_many_requests_of_one_probe_are_put_off(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[limits]\nprobe_requests_per_s = 1\nprobe_burst = 3\n")
    running = Running(tmp_path / "a", "--config", str(config))
    token = running.token("probe-1")
    with running:
        replies = [running.call("GET", "/v1/tasks", token=token) for _ in range(5)]
        assert [r.status for r in replies] == [200, 200, 200, 429, 429]
        assert int(replies[-1].headers["retry-after"]) >= 1


def test_a_full_disk_is_told_before_it_is_full(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(f"[limits]\nfree_bytes = {2**60}\n")
    running = Running(tmp_path / "a", "--config", str(config))
    token = running.token("probe-1")
    with running:
        reply = running.post(records(1), token)
        assert (reply.status, reply.json["code"], reply.headers["retry-after"]) == (503, "storage-full", "60")
        assert running.call("GET", "/healthz").status == 503
        assert running.stored() == []


def test_no_secret_is_logged(tmp_path: Path) -> None:
    running = Running(tmp_path / "a", "--verbose")
    token = running.token("probe-1")
    with running:
        running.post(records(1), token)
        running.call("POST", "/v1/enrol", body=b'{"code":"ABCD-EFGH"}', headers=JSON)
    text = running.log.read_text()
    assert "/v1/records" in text
    assert token[-43:] not in text
    assert "ABCD" not in text
