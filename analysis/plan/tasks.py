"""Stops as tasks that fixed probes and drives pick up: a file, or posted to a collector."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import polars as pl

from measurement.errors import ConfigError, DeliveryError

TIMEOUT_S = 30.0


def tasks(plan: pl.DataFrame, campaign: str, probe_id: str = "*") -> list[dict[str, Any]]:
    """Return a task for each stop, as `POST /v1/tasks` takes them.

    Parameters
    ----------
    plan
        The `plan` table.
    campaign
        Name under which the records are kept.
    probe_id
        Who shall do it; `*` is whoever asks.
    """
    found = []
    for row in plan.iter_rows(named=True):
        schedule = "once" if row["hour"] is None else f"daily {row['hour']:02d}:00"
        position = {"longitude_deg": row["longitude_deg"], "latitude_deg": row["latitude_deg"]}
        task = {"id": f"plan-{row['target']}", "schedule": schedule, "campaign": campaign, "position": position}
        found.append({"probe_id": probe_id, "task": task})
    return found


def post(url: str, token: str, found: list[dict[str, Any]]) -> int:
    """Post the tasks to a collector; return their number.

    Raises
    ------
    ConfigError
        Where the URL is none, or the collector refuses the token or a task.
    DeliveryError
        Where the collector cannot be reached.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"--tasks: Invalid URL {url!r}. http:// or https://.")
    for task in found:
        request = urllib.request.Request(
            url.rstrip("/") + "/v1/tasks",
            json.dumps(task).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            said = error.read(500).decode("utf-8", "replace")
            raise ConfigError(f"--tasks: {url} refused: HTTP {error.code} {said}") from None
        except OSError as error:
            raise DeliveryError(f"{url}: {error}") from None
    return len(found)
