"""The path MTU by probing (RFC 4821): it trusts a router's word for a smaller size and needs none."""

from __future__ import annotations

import time
from collections.abc import Callable

from probe.path.link import Link, Probe

LEAST_BYTES = {4: 576, 6: 1280}
MOST_BYTES = 1500
TRIES = 3
FIRST_NUMBER = 40_000


def search(passes: Callable[[int], int | None], least: int, most: int) -> int | None:
    """Return the largest size that passes, `None` where not even `least` does.

    `passes(size)` returns `size` where it passed, a smaller size where a router names one, `None` for silence.

    Examples
    --------
    >>> search(lambda size: size if size <= 1400 else None, 576, 1500)
    1400
    >>> search(lambda size: size if size <= 1420 else 1420, 576, 1500)
    1420
    """
    if passes(least) != least:
        return None
    low, high, size = least, most, most
    while low < high:
        said = passes(size)
        if said == size:
            low = size
        else:
            high = size - 1
            if said is not None and low < said <= high:
                size = high = said
                continue
        size = (low + high + 1) // 2
    return low


def measure(link: Link, timeout_s: float, most: int = MOST_BYTES) -> int | None:
    """Search with probes that may not be fragmented; the destination must answer echoes."""
    numbers = iter(range(FIRST_NUMBER, 1 << 16))

    def passes(size: int) -> int | None:
        for _ in range(TRIES):
            number = next(numbers)
            try:
                link.send(Probe(number, ttl=64, size_bytes=size))
            except OSError:
                return None  # larger than the interface takes
            end = time.perf_counter() + timeout_s
            while (left := end - time.perf_counter()) > 0:
                for answer in link.receive(left):
                    if answer.number == number and (answer.is_destination or answer.next_mtu_bytes):
                        return answer.next_mtu_bytes or size
        return None

    return search(passes, LEAST_BYTES[link.ip_version], most)
