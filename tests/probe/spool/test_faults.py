"""The spool under power cuts, a full disk, a corrupted file."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from measurement.errors import InstrumentError
from probe.spool.spool import Spool

# Keeps records for ever and writes each id to a pipe once `keep` has returned; acknowledges some and says so before.
WRITER = """
import os, random, sys
from probe.spool.spool import Spool
rng = random.Random(int(sys.argv[2]))
spool = Spool(sys.argv[1])
index = int(sys.argv[3])
while True:
    name = f"r{index}"
    index += 1
    assert spool.keep(name, "complete", name.encode() * rng.randint(1, 400))
    os.write(1, f"kept {name}\\n".encode())
    if rng.random() < 0.3:
        waiting = spool.batch(5, 10_000)
        os.write(1, ("delivered " + " ".join(w.record_id for w in waiting) + "\\n").encode())
        spool.acknowledge([w.record_id for w in waiting])
"""


def test_killed_at_any_instant_no_kept_record_is_lost(tmp_path):
    path = tmp_path / "spool.sqlite"
    kept: set[str] = set()
    delivered: set[str] = set()
    rng = random.Random(7)
    for seed in range(25):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(seed), str(seed * 100_000)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(rng.uniform(0, 0.08))
        process.send_signal(signal.SIGKILL)
        for line in (first, *process.stdout):
            word, *ids = line.split()
            (kept if word == "kept" else delivered).update(ids)
        process.wait()
        process.stdout.close()
        with Spool(path) as spool:
            assert spool.set_aside is None
            waiting = spool.batch(1_000_000, 2**40)
        names = {w.record_id for w in waiting}
        assert all(w.body.replace(w.record_id.encode(), b"") == b"" for w in waiting), "a torn record"
        assert kept <= names | delivered, "a kept record is gone without delivery"
        assert len(names) == len(waiting)
    assert len(kept) > 100
    assert len(delivered) > 20


FULL_DISK = """
import os, sys
from probe.spool.spool import Spool
folder = sys.argv[1]
spool = Spool(folder + "/spool.sqlite", max_bytes=64 * 2**20)
durable = 0
for index in range(4000):
    if spool.keep(f"r{index}", "complete", os.urandom(4000)):
        durable += 1
    else:
        break
assert durable > 50, durable
held = spool.depth().waiting_count
assert held == durable + 1, (held, durable)          # the one in memory is not lost
assert spool.keep("later", "complete", b"x" * 4000) is False
# What the collector acknowledges can still be deleted, and room comes back for what waits in memory.
for _ in range(20):
    spool.acknowledge([w.record_id for w in spool.batch(20, 10**6) if w.record_id not in ("later", f"r{durable}")])
assert spool.keep("after", "complete", b"x" * 4000) is True
names = {w.record_id for w in spool.batch(10_000, 2**40)}
assert {"later", "after"} <= names, names
spool.close()
with Spool(folder + "/spool.sqlite") as again:
    assert again.set_aside is None
    assert {w.record_id for w in again.batch(10_000, 2**40)} == names
print("survived", durable)
"""


@pytest.mark.root
def test_a_full_disk_loses_nothing_that_fits_in_memory(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small tmpfs")
    mount = f"mount -t tmpfs -o size=2m none {tmp_path} && exec {sys.executable} -c '{FULL_DISK}' {tmp_path}"
    done = subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("survived")


def corrupt(path: Path, offset: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * length)


def filled(path: Path) -> None:
    with Spool(path) as spool:
        for index in range(300):
            spool.keep(f"r{index}", "complete", b"y" * 1000)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


@pytest.mark.parametrize(("offset", "length", "least"), [(0, 4096, 0), (200_000, 8192, 100), (8192, 20_000, 0)])
def test_a_corrupted_file_is_set_aside_and_named_and_the_agent_goes_on(tmp_path, caplog, offset, length, least):
    path = tmp_path / "spool.sqlite"
    filled(path)
    corrupt(path, offset, length)
    with Spool(path) as spool:
        assert spool.set_aside is not None
        assert spool.set_aside.exists()
        assert spool.set_aside.name.startswith("spool.sqlite.broken-")
        assert str(spool.set_aside) in caplog.text
        saved = spool.batch(1000, 2**40)
        assert len(saved) >= least
        assert all(w.body == b"y" * 1000 for w in saved)
        assert spool.keep("fresh", "complete", b"z")


def test_a_text_file_is_set_aside_too(tmp_path):
    path = tmp_path / "spool.sqlite"
    path.write_text("this is no database, and it is longer than a page header would be" * 10)
    with Spool(path) as spool:
        assert spool.set_aside is not None
        assert spool.keep("a", "complete", b"x")


def test_a_folder_that_cannot_be_written_is_an_instrument_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InstrumentError, match="Invalid spool"):
        Spool(tmp_path / "file" / "spool.sqlite")
