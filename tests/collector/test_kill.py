"""kill -9 under load: what was acknowledged is there, each record once."""

import http.client
import random
import threading
import time
from pathlib import Path

import pytest

from measurement.record import Record
from tests.archive.sample import record
from tests.collector.running import Running

KILLS = 6


class Sender(threading.Thread):
    """Sends until told to stop, the unacknowledged again and again, as a spooling probe does."""

    def __init__(self, running: Running, token: str, seed: int) -> None:
        super().__init__()
        self.running = running
        self.token = token
        self.noise = random.Random(seed)
        self.acknowledged: set[str] = set()
        self.waiting: list[Record] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set() or self.waiting:
            if not self.waiting:
                self.waiting = [record(self.noise) for _ in range(self.noise.randint(1, 40))]
            try:
                reply = self.running.post(self.waiting, self.token)
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)
                continue
            if reply.status == 202:
                self.acknowledged.update(reply.json["accepted"])
                self.waiting = []


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_acknowledged_record_is_stored_exactly_once(tmp_path: Path) -> None:
    running, noise = Running(tmp_path / "a", "--seal-every", "0.2"), random.Random(20260501)
    token = running.token("probe-1")
    running.start()
    senders = [Sender(running, token, seed) for seed in range(3)]
    for sender in senders:
        sender.start()
    for _ in range(KILLS):
        time.sleep(noise.uniform(0.2, 1.5))
        running.kill()
        running.start()
    for sender in senders:
        sender.stopping.set()
    for sender in senders:
        sender.join(30)
    assert running.stop() == 0
    acknowledged = set().union(*(s.acknowledged for s in senders))
    stored = running.stored()
    assert len(acknowledged) > 100
    assert len(stored) == len(set(stored)), "doubled"
    # Every batch was sent again until it was acknowledged, so nothing else may be there either.
    assert set(stored) == acknowledged
