"""Which peer is nearest, by several rounds of STAMP; stable where two are as near; the next where one fails."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import msgspec

from measurement.errors import ConfigError, InstrumentError
from measurement.record import Record
from measurement.vocabulary import Failure, LatencyMethod, Operation, Status
from probe.failures import NetworkFailure, failure_of
from probe.inquiry import inquire
from probe.latency import EchoPlan, Endpoint, collect
from probe.latency.statistics import percentile
from probe.servers import Candidate, Role
from probe.target import Target, parse, resolve

ROUNDS = 3
ECHOES = 5
ECHO_INTERVAL_S = 0.02
AS_NEAR_SHARE, AS_NEAR_MS = 0.10, 1.0
"""A peer listed earlier is taken where no other is nearer by more than this: results stay comparable over time."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a candidate did. `rtt_ms` is the median over the rounds of each round's fastest echo."""

    candidate: Candidate
    method: LatencyMethod | None = None
    rtt_ms: float | None = None
    sent_count: int = 0
    received_count: int = 0
    failure: Failure | None = None


def sound(
    candidate: Candidate, authority: str | None, timeout_s: float
) -> tuple[LatencyMethod, Endpoint] | NetworkFailure:
    """Find out how to reach a candidate: by STAMP where it reflects, else by TCP connections."""
    try:
        target = resolve(parse(candidate.url, authority))
        answer = inquire(target, timeout_s)
    except NetworkFailure as failure:
        return failure
    address, port = target.socket_address
    if answer.stamp_port is None:
        return LatencyMethod.TCP, Endpoint(address, port)
    return LatencyMethod.STAMP, Endpoint(address, answer.stamp_port)


def stand(
    candidates: Sequence[Candidate],
    *,
    authority: str | None = None,
    timeout_s: float = 2.0,
    stamp_key: bytes | None = None,
    rng: random.Random | None = None,
) -> list[Standing]:
    """Measure all candidates, in turns, so that a burst of other traffic meets them alike."""
    rng = rng or random.Random()
    ways = [sound(candidate, authority, timeout_s) for candidate in candidates]
    fastest: list[list[float]] = [[] for _ in candidates]
    sent, received = [0] * len(candidates), [0] * len(candidates)
    for _ in range(ROUNDS):
        for index, way in enumerate(ways):
            if isinstance(way, NetworkFailure):
                continue
            method, endpoint = way
            plan = EchoPlan(count=ECHOES, interval_s=ECHO_INTERVAL_S, timeout_s=min(1.0, timeout_s), rng=rng)
            try:
                echoes = collect(method, endpoint._replace(key=stamp_key), plan)
            except (OSError, InstrumentError) as error:
                ways[index] = NetworkFailure(failure_of(error), Operation.ECHO)
                continue
            came = [rtt for rtt in echoes.rtt_ms if rtt == rtt]
            sent[index] += len(echoes.rtt_ms)
            received[index] += len(came)
            if came:
                fastest[index].append(min(came))
            elif method is LatencyMethod.STAMP:
                # UDP is blocked on the way: TCP still compares.
                target = resolve(parse(candidates[index].url, authority))
                ways[index] = LatencyMethod.TCP, Endpoint(*target.socket_address)
    return [
        _standing(candidate, way, times, came_count, sent_count)
        for candidate, way, times, came_count, sent_count in zip(candidates, ways, fastest, received, sent, strict=True)
    ]


def _standing(
    candidate: Candidate,
    way: tuple[LatencyMethod, Endpoint] | NetworkFailure,
    times: list[float],
    received: int,
    sent: int,
) -> Standing:
    is_failed = isinstance(way, NetworkFailure)
    return Standing(
        candidate=candidate,
        method=None if isinstance(way, NetworkFailure) else way[0],
        rtt_ms=percentile(times, 0.5) if times and not is_failed else None,
        sent_count=sent,
        received_count=received,
        failure=way.failure if isinstance(way, NetworkFailure) else None if times else Failure.GENERIC_TIMEOUT_ERROR,
    )


def ranked(standings: Sequence[Standing]) -> list[Standing]:
    """Order standings by nearness; who is as near as the nearest goes by its place in the list, the silent come last.

    Examples
    --------
    >>> own, far = Candidate(url='http://own'), Candidate(url='http://near')
    >>> order = ranked([Standing(candidate=own, rtt_ms=10.5), Standing(candidate=far, rtt_ms=10.0)])
    >>> [standing.candidate.url for standing in order]
    ['http://own', 'http://near']
    """
    heard = sorted((s for s in standings if s.rtt_ms is not None), key=lambda s: s.rtt_ms or 0.0)
    silent = [s for s in standings if s.rtt_ms is None]
    if not heard:
        return silent
    limit = (heard[0].rtt_ms or 0.0) * (1 + AS_NEAR_SHARE) + AS_NEAR_MS
    near = [s for s in standings if s.rtt_ms is not None and s.rtt_ms <= limit]
    return [*near, *(s for s in heard if s not in near), *silent]


def order(
    candidates: Sequence[Candidate],
    say: Callable[[str], None] = lambda text: None,
    authority: str | None = None,
    stamp_key: bytes | None = None,
) -> list[Standing]:
    """Measure and order candidates, saying how each did; a single one is taken as it is."""
    if len(candidates) == 1:
        return [Standing(candidate=candidates[0])]
    found = ranked(stand(candidates, authority=authority, stamp_key=stamp_key))
    for place, standing in enumerate(found):
        say(f"{'→' if place == 0 else ' '} {describe(standing)}")
    return found


def nearest_of_each(standings: Sequence[Standing], roles: Sequence[Role]) -> list[Standing]:
    """Return the nearest of each role that is there: the domestic and international pair, for one."""
    found = [next((s for s in standings if s.candidate.role is role), None) for role in roles]
    return [standing for standing in found if standing is not None]


def describe(standing: Standing) -> str:
    """Say how a candidate did, for people.

    Examples
    --------
    >>> own = Candidate(url='http://a', role=Role.OWN)
    >>> describe(Standing(candidate=own, rtt_ms=12.345, method=LatencyMethod.STAMP))
    'http://a (own): 12.3 ms by stamp'
    """
    name = standing.candidate.url + (f" ({standing.candidate.role})" if standing.candidate.role else "")
    if standing.rtt_ms is None:
        return f"{name}: {standing.failure or Failure.UNKNOWN_FAILURE}"
    return f"{name}: {standing.rtt_ms:.{1 if standing.rtt_ms >= 1 else 3}f} ms by {standing.method}"


def is_servers_fault(record: Record) -> bool:
    """Did the test fail before anything was measured, so that another peer may do better?"""
    outcome = record.outcome
    return outcome.status is Status.FAILED or (
        record.throughput is None
        and (
            outcome.operation in (Operation.RESOLVE, Operation.CONNECT, Operation.TLS_HANDSHAKE)
            or outcome.failure in (Failure.SERVER_BUSY, Failure.HTTP_REQUEST_FAILED)
        )
    )


def with_candidate(record: Record, candidate: Candidate) -> Record:
    """Add what the list knows of the peer and the peer itself did not say."""
    if record.server is None:
        return record
    known = record.server
    is_domestic = known.is_domestic
    if is_domestic is None and candidate.role is not None:
        is_domestic = candidate.role is not Role.INTERNATIONAL
    server = msgspec.structs.replace(
        known, site=known.site or candidate.site, distance_km=candidate.distance_km, is_domestic=is_domestic
    )
    return msgspec.structs.replace(record, server=server)


def measure(
    standings: Sequence[Standing],
    run: Callable[[Target, int], Record],
    say: Callable[[str], None] = lambda text: None,
    authority: str | None = None,
) -> Record:
    """Run a test against the first peer, and where that fails by the peer's fault against the next, and say so.

    `run(target, attempt)` makes the record; the attempt counts from 1. Where all fail, the last record tells how.
    """
    for attempt, standing in enumerate(standings, start=1):
        candidate = standing.candidate
        record = with_candidate(run(parse(candidate.url, authority), attempt), candidate)
        if attempt == len(standings) or not is_servers_fault(record):
            return record
        following = standings[attempt].candidate.url
        say(f"{candidate.url} failed ({record.outcome.failure}); falling over to {following}.")
    raise ConfigError("No peer to test against.")
