"""Incompressible bytes, once per process: a file in memory for `sendfile`, or plain bytes where there is none."""

from __future__ import annotations

import functools
import os
import socket
import ssl

BLOCK_BYTES = 4 * 1024 * 1024
"""Far beyond the window of any compressor on the way; a multiple of the page, so that sendfile copies nothing."""


@functools.cache
def block() -> bytes:
    """Return the block as bytes."""
    return os.urandom(BLOCK_BYTES)


@functools.cache
def block_file() -> int | None:
    """Return a descriptor of the block in memory, None where the system has no such files."""
    if not hasattr(os, "memfd_create") or not hasattr(os, "sendfile"):
        return None
    descriptor = os.memfd_create("haidang-payload", os.MFD_CLOEXEC)
    for _ in range(0, BLOCK_BYTES, 65536):
        os.write(descriptor, os.urandom(65536))
    return descriptor


def send(sock: socket.socket, position: int, count: int, portable: bool = False) -> int:
    """Send up to `count` bytes of the endless repetition of the block from `position`; return how many were taken."""
    offset = position % BLOCK_BYTES
    count = min(count, BLOCK_BYTES - offset)
    if isinstance(sock, ssl.SSLSocket):
        return sock.send(memoryview(block())[offset : offset + min(count, 65536)])
    descriptor = None if portable else block_file()
    if descriptor is None:
        return sock.send(memoryview(block())[offset : offset + count])
    return os.sendfile(sock.fileno(), descriptor, offset, count)
