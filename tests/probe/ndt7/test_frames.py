"""Our frames against RFC 6455's examples and against the library `websockets`, which is the oracle."""

import contextlib
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame as OracleFrame
from websockets.frames import Opcode as OracleOpcode

from probe.ndt7 import frames, spec
from probe.ndt7.frames import Close, FrameError, Message, Opcode, Reader, close, frame, head, masked, parse_head


def fed(
    data: bytes, *, from_client: bool = False, chunks: list[int] | None = None
) -> tuple[list[Message], Reader, object]:
    """Send bytes through a real socket in chunks; return the messages, the reader and what ended the reading."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    messages: list[Message] = []

    def send() -> None:
        with theirs, contextlib.suppress(OSError):
            offset = 0
            for size in (chunks or []) + [len(data)]:
                theirs.sendall(data[offset : offset + size])
                offset += size

    with ours:
        ours.settimeout(5)
        reader = Reader(ours, from_client=from_client)
        reader._flags = ()  # MSG_TRUNC means something else on a Unix socket
        thread = threading.Thread(target=send)
        thread.start()
        try:
            while True:
                message = reader.step()
                if message is not None:
                    messages.append(message)
        except (EOFError, FrameError) as error:
            ended: object = error
    thread.join()
    return messages, reader, ended


def test_examples_of_rfc_6455() -> None:
    assert head(Opcode.TEXT, 5) + b"Hello" == bytes.fromhex("810548656c6c6f")
    mask = bytes.fromhex("37fa213d")
    assert head(Opcode.TEXT, 5, mask) + masked(b"Hello", mask) == bytes.fromhex("818537fa213d7f9f4d5158")
    assert head(Opcode.BINARY, 256) == bytes.fromhex("827e0100")
    assert head(Opcode.BINARY, 65536) == bytes.fromhex("827f0000000000010000")
    assert fed(bytes.fromhex("810548656c6c6f"))[0] == [Message(Opcode.TEXT, b"Hello", 5)]
    fragments = bytes.fromhex("010348656c 80026c6f")
    assert fed(fragments)[0] == [Message(Opcode.TEXT, b"Hello", 5)]


@given(st.binary(max_size=70_000), st.sampled_from([Opcode.TEXT, Opcode.BINARY]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_oracle_reads_what_we_write(payload: bytes, opcode: Opcode, is_client: bool) -> None:
    written = frame(opcode, payload, is_client)
    parser = OracleFrame.parse(_reader_of(written), mask=is_client)
    try:
        next(parser)
    except StopIteration as done:
        found = done.value
    assert (found.opcode, bytes(found.data), found.fin) == (OracleOpcode(int(opcode)), payload, True)


def _reader_of(data: bytes):  # type: ignore[no-untyped-def]
    buffer = bytearray(data)

    def read_exact(count: int):  # type: ignore[no-untyped-def]
        taken = bytes(buffer[:count])
        del buffer[:count]
        return taken
        yield

    return read_exact


@given(
    st.lists(
        st.tuples(st.sampled_from([OracleOpcode.TEXT, OracleOpcode.BINARY]), st.binary(max_size=3000)), max_size=6
    ),
    st.lists(st.integers(1, 700), max_size=8),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_we_read_what_the_oracle_writes(
    sent: list[tuple[OracleOpcode, bytes]], chunks: list[int], from_client: bool
) -> None:
    data = b"".join(OracleFrame(opcode, payload).serialize(mask=from_client) for opcode, payload in sent)
    messages, reader, ended = fed(data, from_client=from_client, chunks=chunks)
    assert isinstance(ended, EOFError)
    assert [(int(m.opcode), m.size_bytes) for m in messages] == [(int(o), len(p)) for o, p in sent]
    assert [m.payload for m in messages if m.opcode is Opcode.TEXT] == [p for o, p in sent if o is OracleOpcode.TEXT]
    assert reader.bulk_bytes == sum(len(p) for o, p in sent if o is OracleOpcode.BINARY)


def test_a_ping_within_a_fragmented_message_is_told_at_once() -> None:
    data = bytes([0x02, 3]) + b"abc" + bytes([0x89, 2]) + b"hi" + bytes([0x80, 4]) + b"defg"
    messages, reader, _ = fed(data)
    assert messages == [Message(Opcode.PING, b"hi", 2), Message(Opcode.BINARY, b"", 7)]
    assert reader.bulk_bytes == 7


def test_a_long_text_is_read_to_its_end_and_not_kept() -> None:
    long = bytes(1 << 20)
    messages, _, _ = fed(head(Opcode.TEXT, len(long)) + long + head(Opcode.TEXT, 2) + b"{}")
    assert messages[0].size_bytes == 1 << 20
    assert len(messages[0].payload) <= 2 * frames.KEPT_MOST_BYTES
    assert messages[1].payload == b"{}"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xc1\x00", Close.PROTOCOL_ERROR),  # reserved bit
        (b"\x83\x00", Close.PROTOCOL_ERROR),  # reserved opcode
        (b"\x09\x00", Close.PROTOCOL_ERROR),  # fragmented ping
        (b"\x89\x7e\x00\x7e", Close.PROTOCOL_ERROR),  # ping of 126 bytes
        (b"\x80\x00", Close.PROTOCOL_ERROR),  # continuation of nothing
        (b"\x02\x00\x82\x00", Close.PROTOCOL_ERROR),  # message within a message
        (b"\x81\x80abcd", Close.PROTOCOL_ERROR),  # masked by a server
        (b"\x82\x7f" + (1 << 24 | 1).to_bytes(8, "big"), Close.TOO_BIG),
        (b"\x82\x7f" + b"\xff" * 8, Close.TOO_BIG),
    ],
)
def test_what_breaks_the_rules_is_refused_with_its_code(data: bytes, code: Close) -> None:
    _, _, ended = fed(data)
    assert isinstance(ended, FrameError)
    assert ended.code is code


def test_fragments_together_are_bounded() -> None:
    one = 1 << 23
    data = bytes([0x02, 127]) + one.to_bytes(8, "big") + bytes(one)
    data += (bytes([0x00, 127]) + one.to_bytes(8, "big") + bytes(one)) * 2
    _, _, ended = fed(data)
    assert isinstance(ended, FrameError)
    assert ended.code is Close.TOO_BIG


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_bytes_end_in_order(data: bytes) -> None:
    for from_client in (False, True):
        assert isinstance(fed(data, from_client=from_client)[2], EOFError | FrameError)


@given(st.binary(max_size=14))
def test_any_head_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(FrameError):
        found = parse_head(data)
        assert found is None or found.size <= len(data)


def test_a_close_tells_its_code() -> None:
    assert close(Close.NORMAL, is_client=False) == bytes.fromhex("880203e8")


def test_message_sizes_double_as_the_appendix_says() -> None:
    size, sent, sizes = spec.MESSAGE_LEAST_BYTES, 0, []
    for _ in range(400):
        sizes.append(size)
        sent += size
        size = spec.next_message_bytes(size, sent)
    assert sizes[0] == 1 << 13
    assert sizes[15:18] == [1 << 13, 1 << 14, 1 << 14]
    assert max(sizes) == 1 << 20
    assert all(size & (size - 1) == 0 for size in sizes)
