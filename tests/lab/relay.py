"""A TUN relay of ours: carries packets between two network namespaces, each delayed by half a round trip.

`python relay.py NEAR FAR DELAY_MS` makes both devices, prints `ready`, and relays until it is ended. Segmentation is
left to the kernel (IFF_VNET_HDR and TSO): one read moves up to 64 kB, so that Python carries a gigabit per second.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import struct
import sys
import time
from collections import deque

TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454CA, 0x400454D0, 0x400454D8
IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6 = 0x01, 0x02, 0x04
HELD_BYTES = 256 * 1024 * 1024
PR_SET_PDEATHSIG = 1


def open_tun(name: str) -> int:
    """Make a TUN device that takes and gives unsegmented packets."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI | IFF_VNET_HDR))
    fcntl.ioctl(descriptor, TUNSETVNETHDRSZ, struct.pack("i", 10))
    fcntl.ioctl(descriptor, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
    return descriptor


def end_with_parent() -> None:
    """Let the kernel end this process when the one that made it ends, however it does."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Way:
    """One direction: packets read from `source` are written to `sink` when their time has come."""

    def __init__(self, source: int, sink: int, delay_s: float) -> None:
        self.source, self.sink, self.delay_s = source, sink, delay_s
        self.held: deque[tuple[float, bytes]] = deque()
        self.bytes = 0

    def run(self) -> None:
        """Relay until the device is down."""
        while True:
            timeout = max(0.0, self.held[0][0] - time.monotonic()) if self.held else None
            if select.select([self.source], [], [], timeout)[0]:
                self.take()
            self.give()

    def take(self) -> None:
        due = time.monotonic() + self.delay_s
        for _ in range(64):
            try:
                packet = os.read(self.source, 70_000)
            except BlockingIOError:
                return
            if self.bytes < HELD_BYTES:
                self.held.append((due, packet))
                self.bytes += len(packet)

    def give(self) -> None:
        now = time.monotonic()
        while self.held and self.held[0][0] <= now:
            packet = self.held.popleft()[1]
            self.bytes -= len(packet)
            try:
                os.write(self.sink, packet)
            except BlockingIOError:
                pass  # the device is full, as a router's queue would be
            except OSError:
                return  # the device is down: the line ends


def main() -> None:
    near, far = open_tun(sys.argv[1]), open_tun(sys.argv[2])
    delay_s = float(sys.argv[3]) / 1000
    # A process each way: one alone fills its core below a gigabit per second.
    if os.fork() == 0:
        end_with_parent()
        Way(far, near, delay_s).run()
    print("ready", flush=True)
    Way(near, far, delay_s).run()


if __name__ == "__main__":
    main()
