from pathlib import Path

import pytest

from collector.access import Role
from tests.collector.running import Running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<h1>Hải Đăng</h1>", "utf-8")
    return folder


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory, site: Path):
    with Running(tmp_path_factory.mktemp("collector") / "archive", "--site", str(site)) as running:
        yield running


@pytest.fixture(scope="module")
def probe(collector: Running) -> str:
    token = collector.token("probe-1")
    _until_known(collector, token)
    return token


@pytest.fixture(scope="module")
def admin(collector: Running) -> str:
    token = collector.token("chief", Role.ADMIN)
    _until_known(collector, token)
    return token


def _until_known(collector: Running, token: str) -> None:
    """A token made by another process counts within some two seconds."""
    import time

    for _ in range(100):
        if collector.call("GET", "/v1/tasks", token=token).status == 200:
            return
        time.sleep(0.05)
    raise AssertionError("the collector does not see a new token")
