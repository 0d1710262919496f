"""Checks of what the probe must reach: a peer and the collector."""

from __future__ import annotations

from measurement.errors import HaidangError
from measurement.vocabulary import LatencyMethod
from probe.doctor import Finding, Subject
from probe.failures import NetworkFailure
from probe.inquiry import inquire
from probe.latency import EchoPlan, Endpoint, echo
from probe.presentation import FAILURES
from probe.target import Target, parse, resolve

TIMEOUT_S = 5.0
_ABSENT = ("chưa cấu hình", "not configured")


def peer(subject: Subject) -> Finding:
    """Does the peer answer, and does its reflector?"""
    settings = subject.settings
    target = subject.peer or (parse(settings.candidates()[0].url) if settings.peers else None)
    if target is None:
        return Finding(None, _ABSENT)
    try:
        found = resolve(target)
        answer = inquire(found, TIMEOUT_S)
    except NetworkFailure as failure:
        vi, en = FAILURES[failure.failure]
        cure = ("kiểm tra địa chỉ, tường lửa và máy chủ", "check the address, firewalls and the peer")
        return Finding(False, (f"{target.url}: {vi}", f"{target.url}: {en}"), cure)
    if answer.stamp_port is None:
        said = (f"{target.url}: trả lời, không có STAMP", f"{target.url}: answers, without STAMP")
        return Finding(True, said)
    return _reflected(target, found, answer.stamp_port)


def _reflected(target: Target, found: Target, port: int) -> Finding:
    plan = EchoPlan(count=10, interval_s=0.02, timeout_s=1.0)
    try:
        result = echo(LatencyMethod.STAMP, Endpoint(found.socket_address[0], port), plan)
    except OSError as error:
        return Finding(False, (f"STAMP: {error.strerror}", f"STAMP: {error.strerror}"))
    if result.rtt_median_ms is None:
        said = (f"{target.url}: STAMP không phản hồi", f"{target.url}: STAMP is silent")
        return Finding(False, said, (f"mở UDP {port} ở tường lửa", f"open UDP {port} in the firewall"))
    text = f"{target.url}: {result.rtt_median_ms:.2f} ms (STAMP)"
    return Finding(True, (text, text), None, {"rtt_median_ms": result.rtt_median_ms})


def collector(subject: Subject) -> Finding:
    """Does the collector answer?"""
    from probe.collector_client import CollectorClient

    url = subject.settings.collector
    if url is None:
        return Finding(None, _ABSENT)
    try:
        reply = CollectorClient(url, timeout_s=TIMEOUT_S).get("/healthz")
    except HaidangError as error:
        cure = ("kiểm tra địa chỉ; bản ghi được giữ lại trong lúc chờ", "check the address; records wait in the spool")
        return Finding(False, (str(error), str(error)), cure)
    said = (f"{url}: {reply.status}", f"{url}: {reply.status}")
    if reply.status == 200:
        return Finding(True, said)
    return Finding(False, said, ("xem nhật ký của máy chủ thu thập", "look into the collector's log"))
