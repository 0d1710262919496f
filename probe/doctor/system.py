"""Checks of the device alone: clock, timer, socket rights, disk."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from pathlib import Path

from probe.agent.clock import is_synchronised
from probe.doctor import Finding, Subject

LATE_MS = 5.0
"""A timer that wakes later than this spoils slices of 50 ms."""
FREE_BYTES = 100_000_000
SLEEPS = 100


def clock(subject: Subject) -> Finding:
    """Is the clock set by somebody? Without that, records carry a time that the collector must correct."""
    synchronised = is_synchronised()
    if synchronised is None:
        return Finding(None, ("hệ thống không cho biết", "the system does not tell"))
    if synchronised:
        return Finding(True, ("đã đồng bộ", "synchronised"))
    cure = ("timedatectl set-ntp true, hoặc cài chrony", "timedatectl set-ntp true, or install chrony")
    return Finding(False, ("chưa đồng bộ", "not synchronised"), cure)


def timer(subject: Subject) -> Finding:
    """How late does this system wake us?"""
    lates = []
    for _ in range(SLEEPS):
        started = time.perf_counter()
        time.sleep(0.001)
        lates.append((time.perf_counter() - started - 0.001) * 1000)
    late = sorted(lates)[round(0.95 * SLEEPS) - 1]
    said = (f"trễ {late:.2f} ms (p95)", f"late by {late:.2f} ms (p95)")
    cure = ("dừng chương trình khác; dùng nguồn điện ổn định", "stop other programs; give the board a steady supply")
    return Finding(late <= LATE_MS, said, None if late <= LATE_MS else cure, {"late_p95_ms": late})


def icmp(subject: Subject) -> Finding:
    """May we ping without being root?"""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP).close()
    except OSError as error:
        if _has_raw():
            return Finding(True, ("qua ổ cắm thô", "by raw sockets"))
        cure = (
            "sysctl -w net.ipv4.ping_group_range='0 2147483647'",
            "sysctl -w net.ipv4.ping_group_range='0 2147483647'",
        )
        return Finding(False, (f"không được phép ({error.strerror})", f"not permitted ({error.strerror})"), cure)
    return Finding(True, ("được phép", "permitted"))


def raw(subject: Subject) -> Finding:
    """May we send raw packets? Only `path` needs it."""
    if _has_raw():
        return Finding(True, ("được phép", "permitted"))
    cure = ("setcap cap_net_raw+ep TỆP_PYTHON, hoặc chạy bằng root", "setcap cap_net_raw+ep PYTHON, or run as root")
    return Finding(False, ("không được phép; chỉ lệnh path cần", "not permitted; only `path` needs it"), cure)


def _has_raw() -> bool:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    except OSError:
        return False
    return True


def disk(subject: Subject) -> Finding:
    """Can the spool be written, and how long does a durable write take?"""
    folder = Path(subject.settings.spool.path).parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        free = shutil.disk_usage(folder).free
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            started = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            took_ms = (time.perf_counter() - started) * 1000
    except OSError as error:
        said = (f"{folder}: không ghi được ({error.strerror})", f"{folder}: cannot be written ({error.strerror})")
        return Finding(False, said, (f"cấp quyền ghi cho {folder}", f"give write access to {folder}"))
    is_good = free >= FREE_BYTES
    said = (
        f"{folder}: trống {free / 1e9:.1f} GB, ghi bền {took_ms:.1f} ms",
        f"{folder}: {free / 1e9:.1f} GB free, durable write {took_ms:.1f} ms",
    )
    cure = None if is_good else ("xóa bớt dữ liệu", "free some space")
    return Finding(is_good, said, cure, {"free_bytes": float(free), "fsync_ms": took_ms})
