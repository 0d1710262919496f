"""A filter in the kernel (classic BPF, <linux/filter.h>) for what answers a probe: ICMP, or anything of one host.

Without it a busy line fills the capturing socket with packets of others, and answers that were dropped there would look
like loss. Offsets count from the network header, so that it works on Ethernet, PPP and raw-IP modems alike.
"""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import socket
import struct

_SO_ATTACH_FILTER = 26
_LD_W_ABS, _LD_B_ABS, _JEQ_K, _RET_K = 0x20, 0x30, 0x15, 0x06
_NETWORK_HEADER = 0xFFF00000
"""SKF_NET_OFF, as the unsigned number the kernel reads it from."""
_WHOLE = 0x40000
_ICMP, _ICMPV6 = 1, 58
_INSTRUCTION = struct.Struct("=HBBI")

Instruction = tuple[int, int, int, int]


def program(address: str) -> list[Instruction]:
    """Return the filter as (code, jump if true, jump if false, operand).

    Examples
    --------
    >>> len(program('192.0.2.1')), len(program('2001:db8::1'))
    (6, 12)
    """
    ip = ipaddress.ip_address(address)
    source, protocol, icmp = (12, 9, _ICMP) if ip.version == 4 else (8, 6, _ICMPV6)
    words = [int.from_bytes(ip.packed[at : at + 4]) for at in range(0, len(ip.packed), 4)]
    after = 2 * len(words)  # instructions that compare the source
    code: list[Instruction] = [(_LD_B_ABS, 0, 0, _NETWORK_HEADER + protocol), (_JEQ_K, after, 0, icmp)]
    for place, word in enumerate(words):
        left = after - 2 * (place + 1)
        code += [(_LD_W_ABS, 0, 0, _NETWORK_HEADER + source + 4 * place), (_JEQ_K, 0, left + 1, word)]
    return [*code, (_RET_K, 0, 0, _WHOLE), (_RET_K, 0, 0, 0)]


def attach(sock: socket.socket, address: str) -> None:
    """Let a socket see only what may answer; where the system has no such filter it sees everything, as before."""
    code = b"".join(_INSTRUCTION.pack(*instruction) for instruction in program(address))
    buffer = ctypes.create_string_buffer(code)
    with contextlib.suppress(OSError):
        pointed = struct.pack("@HP", len(code) // _INSTRUCTION.size, ctypes.addressof(buffer))
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointed)
