"""Stops as tasks that fixed probes and drives pick up: a file, or posted to a collector."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from analysis.coverage.plane import Plane
from archive.store import Archive
from measurement.errors import ConfigError, DeliveryError

TIMEOUT_S = 30.0
REACH_M = 400.0
"""A fixed probe this near measures the same cells of the network as the stop."""

VALID_DAYS = 14
"""A plan this old is made anew: the figures behind it have moved."""


def fixed_probes(archive: Archive, days: int = 7) -> pl.DataFrame:
    """Return where the fixed probes of the newest days stand: probe_id, longitude_deg, latitude_deg."""
    wanted = ["probe_id", "mode", "position_longitude_deg", "position_latitude_deg"]
    with archive.snapshot() as snapshot:
        parts = [snapshot.frame(day, wanted) for day in snapshot.days[-days:]]
    seen = pl.concat(parts) if parts else pl.DataFrame(schema=dict.fromkeys(wanted, pl.String))
    own = seen.filter(pl.col("mode") == "scheduled").drop_nulls()
    return (
        own.group_by("probe_id")
        .agg(
            pl.col("position_longitude_deg").median().alias("longitude_deg"),
            pl.col("position_latitude_deg").median().alias("latitude_deg"),
        )
        .sort("probe_id")
    )


def _nearest(fixed: pl.DataFrame, longitude_deg: float, latitude_deg: float) -> str | None:
    """Return the fixed probe that stands where the test is wanted, None where none does."""
    if fixed.is_empty():
        return None
    plane = Plane(longitude_deg, latitude_deg)
    metres = np.hypot(*plane.project(fixed["longitude_deg"].to_numpy(), fixed["latitude_deg"].to_numpy()).T)
    at = int(np.argmin(metres))
    return str(fixed["probe_id"][at]) if metres[at] <= REACH_M else None


def tasks(plan: pl.DataFrame, day: date, fixed: pl.DataFrame, probe_id: str | None = None) -> list[dict[str, Any]]:
    """Return a task for each stop that a probe can serve, as `POST /v1/tasks` takes them.

    A stop goes to the fixed probe that stands there, else to the probe that is driven along the route.

    Parameters
    ----------
    plan
        The `plan` table.
    day
        Civil day of the plan. It is in the campaign under which the records are kept, so that the stops of two plans
        are two tests.
    fixed
        Fixed probes (`fixed_probes`).
    probe_id
        Probe of the agent; without it stops where no fixed probe stands are left out.
    """
    campaign = f"plan-{day.isoformat()}"
    until = f"{(day + timedelta(days=VALID_DAYS)).isoformat()}T00:00:00Z"
    found = []
    for row in plan.iter_rows(named=True):
        owner = _nearest(fixed, row["longitude_deg"], row["latitude_deg"]) or probe_id
        if owner is None:
            continue
        schedule = "once" if row["hour"] is None else f"daily {row['hour']:02d}:00"
        position = {"longitude_deg": row["longitude_deg"], "latitude_deg": row["latitude_deg"]}
        task = {
            "id": f"{campaign}-{row['target']}",
            "schedule": schedule,
            "campaign": campaign,
            "position": position,
            "valid_until": until,
        }
        found.append({"probe_id": owner, "task": task})
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
