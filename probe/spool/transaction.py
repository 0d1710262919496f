"""One write transaction of a spool file, on a disk that may be full."""

from __future__ import annotations

import sqlite3


class transaction:  # noqa: N801  a context manager, read as a verb
    """One write transaction, rolled back on any error; with `or_skip` a full disk is passed over."""

    def __init__(self, connection: sqlite3.Connection, *, or_skip: bool = False) -> None:
        self._connection, self._or_skip = connection, or_skip

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: object) -> bool:
        if kind is None:
            try:
                self._connection.execute("COMMIT")
            except sqlite3.OperationalError as failure:
                kind, error = type(failure), failure
                self._roll_back()
                if not self._or_skip:
                    raise
                return True
            return False
        self._roll_back()
        return self._or_skip and isinstance(error, sqlite3.OperationalError)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # a full disk has rolled back by itself
            self._connection.execute("ROLLBACK")
