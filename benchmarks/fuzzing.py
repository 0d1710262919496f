"""A million broken inputs to the decoder: none may end in anything but records, refusals, or a refused body.

`HAIDANG_BENCH_INPUTS` sets how many (1,000,000).
"""

from __future__ import annotations

import gzip
import os
import random
import time
from collections import Counter

from benchmarks import Row
from collector.intake import IntakeError, expand, read
from measurement.codec import encode
from tests.archive.sample import records

INPUTS = int(os.environ.get("HAIDANG_BENCH_INPUTS", "1000000"))
_WORDS = [
    b"null",
    b"NaN",
    b"1e999",
    b"-0",
    b'""',
    b"[]",
    b"{}",
    b'"\\ud800"',
    b"9" * 50,
    b"true",
    b'"\xff"',
    b"[[[[[[[",
]


def _mutate(noise: random.Random, body: bytearray) -> bytes:
    for _ in range(noise.randint(1, 4)):
        at = noise.randrange(len(body))
        kind = noise.randrange(5)
        if kind == 0:
            body[at] = noise.randrange(256)
        elif kind == 1:
            del body[at : at + noise.randint(1, 40)]
        elif kind == 2:
            body[at:at] = noise.choice(_WORDS)
        elif kind == 3:
            body[at:at] = body[noise.randrange(len(body)) :][: noise.randint(1, 60)]
        else:
            colon = body.find(b":", at)
            end = body.find(b",", colon)
            if 0 <= colon < end:
                body[colon + 1 : end] = noise.choice(_WORDS)
    return bytes(body)


def judge(body: bytes) -> str:
    """Return what became of a body; raise whatever should not have happened."""
    try:
        batch = read(body)
    except IntakeError as error:
        return error.code
    return "record" if batch.records else "rejected"


def run(count: int = INPUTS) -> list[Row]:
    """Decode broken inputs; any other exception ends the run."""
    noise = random.Random(20260501)
    good = [encode(r) for r in records(50, seed=2)]
    seen: Counter[str] = Counter()
    begin = time.perf_counter()
    for number in range(count):
        body = _mutate(noise, bytearray(noise.choice(good)))
        if number % 10 == 0:
            body = b"[" + body + b"]"
        if number % 20 == 0:
            packed = bytearray(gzip.compress(body, 1))
            packed[noise.randrange(len(packed))] ^= 1 << noise.randrange(8)
            try:
                body = expand(bytes(packed), "gzip", 1 << 20)
            except IntakeError as error:
                seen[error.code] += 1
                continue
        seen[judge(body)] += 1
    took = time.perf_counter() - begin
    text = ", ".join(f"{name} {n:,}" for name, n in seen.most_common())
    return [
        Row("fuzzing", "broken inputs to the decoder", "≥ 1 M, no crash", f"{count:,} in {took:.0f} s, 0 crashes", text)
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
