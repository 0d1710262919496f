"""A probe as its agent delivers: keeps records in a real spool, reports with the real reporter, dies at any instant.

Arguments: collector URL, spool file, log of kept ids, seed, records a turn. A record's id is logged once it is durable.
"""

import os
import random
import sys
import time
from pathlib import Path

from measurement.codec import encode
from probe.collector_client import CollectorClient
from probe.report import Reporter
from probe.spool.spool import Spool
from tests.archive.sample import record


def main(url: str, spool_path: str, log_path: str, seed: str, turn: str) -> None:
    """Measure (a made record), keep, log, report; for ever."""
    noise = random.Random(f"{seed}-{os.getpid()}-{time.time_ns()}")  # ids must differ from those of the last life
    token = os.environ["HAIDANG_TEST_TOKEN"]
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with Spool(Path(spool_path)) as spool:
        reporter = Reporter(spool, CollectorClient(url, token, timeout_s=5), rng=noise)
        while True:
            if not Path(log_path + ".stop").exists():
                for _ in range(int(turn)):
                    made = record(noise)
                    if spool.keep(made.record_id, made.outcome.status, encode(made)):
                        os.write(log, f"{made.record_id}\n".encode())
            if reporter.deliver(20).error is not None:
                time.sleep(0.05)
            elif Path(log_path + ".stop").exists() and spool.depth().waiting_count == 0:
                return


if __name__ == "__main__":
    main(*sys.argv[1:])
