"""Where work runs: here, in a pool of processes, or on a Dask cluster. The numerical code is the same line for line."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from measurement.errors import ConfigError

Task = TypeVar("Task")
Result = TypeVar("Result")


class Inline(Executor):
    """Runs each task at once, in the caller: one process, and errors where they happen."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a task and return its finished future."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def executor(jobs: int = 1, cluster: str | None = None) -> Iterator[Executor]:
    """Open an executor.

    Parameters
    ----------
    jobs
        Processes on this machine; 1 runs in this one.
    cluster
        Address of a Dask scheduler whose workers see the same archive directory. It wins over `jobs`.

    Raises
    ------
    ConfigError
        Where the cluster cannot be reached, or its extra is not installed.
    """
    if cluster is not None:
        with _dask(cluster) as opened:
            yield opened
    elif jobs <= 1:
        yield Inline()
    else:
        # Spawned, not forked: polars holds threads. One thread each, or the processes fight over the cores.
        kept = {name: os.environ.get(name) for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS")}
        os.environ.update(dict.fromkeys(kept, "1"))
        try:
            with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
                yield pool
        finally:
            for name, value in kept.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


@contextmanager
def _dask(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ImportError:
        raise ConfigError("Invalid --cluster. Install haidang[cluster] for it.") from None
    try:
        client: Any = Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise ConfigError(f"Invalid --cluster {address!r}. {error}") from None
    with client:
        # pure=False: the same call twice is two tasks; results are cached by content here, not by name there.
        yield client.get_executor(pure=False)


def submitted(pool: Executor, work: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Future[Result]]:
    """Hand out every task."""
    return [pool.submit(work, task) for task in tasks]


def fetched(futures: Sequence[Future[Result]], done: Callable[[], None] = lambda: None) -> list[Result]:
    """Return the results of tasks in their order, telling `done` as each is fetched."""
    results = []
    try:
        for future in futures:
            results.append(future.result())
            done()
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    return results


def each(
    pool: Executor, work: Callable[[Task], Result], tasks: Iterable[Task], done: Callable[[], None] = lambda: None
) -> list[Result]:
    """Run every task and return the results in the order of the tasks, telling `done` as each is fetched."""
    return fetched(submitted(pool, work, tasks), done)


RECORDS_A_PROCESS = 200_000
"""Records that are worth a second process: it takes about a second to begin."""


def sensible_jobs(records: int) -> int:
    """Return how many processes a number of records is worth on this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, records // RECORDS_A_PROCESS))
