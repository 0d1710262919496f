"""A path of known truth: namespaces in a row, routers between, an operator's addresses, a narrow link, a lossy one."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

LINKS = ("10.64.1", "100.64.7", "203.113.2", "198.51.100")
LINKS6 = ("fd64:0:1:1", "2001:ee0:1:7", "2001:ee0:2:2", "2405:4800:9:1")
"""Access, the operator's core, its edge, and beyond: /24 and /64 each, .1 towards the probe, .2 towards the host."""

SYSCTLS = ("net.ipv4.ip_forward=1", "net.ipv4.icmp_ratelimit=0", "net.ipv6.conf.all.forwarding=1")
SYSCTLS += ("net.ipv6.icmp.ratelimit=0",)
_chains = itertools.count()


@dataclass(frozen=True)
class Chain:
    """Names of the namespaces, the probe's first; `host` is the far end's address."""

    names: tuple[str, ...]
    host: str
    host6: str

    def run(self, name: str, *command: str) -> str:
        """Run a command in a namespace."""
        return run("ip", "netns", "exec", name, *command)

    @property
    def probe(self) -> str:
        """The namespace to measure from."""
        return self.names[0]

    def lose(self, router: int, share: float) -> None:
        """Drop a share of what a router forwards towards the host."""
        name = self.names[router]
        self.run(name, "nft", "add table ip lab")
        self.run(name, "nft", "add chain ip lab forward { type filter hook forward priority 0; }")
        some = f"numgen random mod 1000 < {int(share * 1000)} " if share < 1 else ""
        rule = f"add rule ip lab forward ip daddr {self.host} {some}drop"
        self.run(name, "nft", rule)

    def cut(self, router: int) -> None:
        """Drop all that a router forwards towards the host."""
        self.lose(router, 1.0)


def run(*command: str) -> str:
    """Run a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def need_namespaces() -> None:
    """Skip by name where there is no root, no `ip` or no namespace."""
    if os.geteuid() or not shutil.which("ip") or not shutil.which("nft"):
        pytest.skip("needs root, ip and nft")
    try:
        run("ip", "netns", "add", f"hdtest-{os.getpid()}")
        run("ip", "netns", "del", f"hdtest-{os.getpid()}")
    except RuntimeError as error:
        pytest.skip(f"needs network namespaces: {error}")


@contextmanager
def chain(*, narrow_mtu: int | None = None) -> Iterator[Chain]:
    """Lay a path of three routers; the last link takes packets of `narrow_mtu` only."""
    need_namespaces()
    names = tuple(f"hd{os.getpid()}c{next(_chains)}n{index}" for index in range(len(LINKS) + 1))
    try:
        for name in names:
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "netns", "exec", name, "sysctl", "-qw", *SYSCTLS)
        for index, net in enumerate(LINKS):
            _join(names, index, net, LINKS6[index])
        for index, name in enumerate(names):
            _route(name, index)
        if narrow_mtu is not None:
            for name, device in ((names[-2], f"r{len(LINKS) - 1}"), (names[-1], f"l{len(LINKS) - 1}")):
                run("ip", "-n", name, "link", "set", device, "mtu", str(narrow_mtu))
        yield Chain(names, f"{LINKS[-1]}.2", f"{LINKS6[-1]}::2")
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _join(names: tuple[str, ...], index: int, net: str, net6: str) -> None:
    near, far = names[index], names[index + 1]
    run("ip", "-n", near, "link", "add", f"r{index}", "type", "veth", "peer", "name", f"l{index}", "netns", far)
    for name, device, last in ((near, f"r{index}", 1), (far, f"l{index}", 2)):
        run("ip", "-n", name, "addr", "add", f"{net}.{last}/24", "dev", device)
        run("ip", "-n", name, "addr", "add", f"{net6}::{last}/64", "dev", device, "nodad")
        run("ip", "-n", name, "link", "set", device, "up")


def _route(name: str, index: int) -> None:
    for other, net in enumerate(LINKS):
        if other > index:
            run("ip", "-n", name, "route", "add", f"{net}.0/24", "via", f"{LINKS[index]}.2")
            run("ip", "-n", name, "route", "add", f"{LINKS6[other]}::/64", "via", f"{LINKS6[index]}::2")
        elif other < index - 1:
            run("ip", "-n", name, "route", "add", f"{net}.0/24", "via", f"{LINKS[index - 1]}.1")
            run("ip", "-n", name, "route", "add", f"{LINKS6[other]}::/64", "via", f"{LINKS6[index - 1]}::1")
