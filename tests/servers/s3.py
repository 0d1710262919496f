"""Run an S3 server on a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.found import found
from tests.servers.loopback import HOST, answers, free_port
from tests.servers.process import Process

BUCKET = "haidang"
ACCESS_KEY = "tests"
SECRET_KEY = "a-secret-for-tests-only"
REGION = "us-east-1"


@dataclass(frozen=True)
class S3:
    """Hold what a client needs; the objects of a bucket are the files of a folder."""

    url: str
    bucket: str
    access_key: str
    secret_key: str
    region: str
    folder: Path
    process: Process

    @property
    def storage_options(self) -> dict[str, str]:
        """Give the options that deltalake, Polars and other users of object_store take."""
        return {
            "aws_endpoint_url": self.url,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "aws_region": self.region,
            "aws_allow_http": "true",
            "aws_conditional_put": "etag",
        }

    def address(self, key: str) -> str:
        """Give the `s3://` address of a key in the bucket."""
        return f"s3://{self.bucket}/{key}"


@contextmanager
def running(folder: Path) -> Iterator[S3]:
    """Run an S3 server of one's own, with one empty bucket."""
    program, port, objects = found("versitygw"), free_port(), folder / "objects"
    (objects / BUCKET).mkdir(parents=True)
    url = f"http://{HOST}:{port}"
    command: list[str | Path] = [program, "--port", f"{HOST}:{port}", "--region", REGION, "--health", "/health"]
    command += ["--quiet", "posix", objects]
    keys = {"ROOT_ACCESS_KEY_ID": ACCESS_KEY, "ROOT_SECRET_ACCESS_KEY": SECRET_KEY}
    with Process(
        command, log=folder / "versitygw.log", ready=lambda: answers(f"{url}/health"), environment=keys
    ) as process:
        yield S3(url, BUCKET, ACCESS_KEY, SECRET_KEY, REGION, objects, process)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """Share one S3 server among all tests of the session; a test keeps to a key prefix of its own."""
    with running(tmp_path_factory.mktemp("s3")) as server:
        yield server
