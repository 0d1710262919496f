"""Long rows of figures under construction: columns gathered as arrays, made one frame at the end."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from analysis.estimates import Estimate
from analysis.evidence_counts import Counts
from analysis.groups import Floats, Frame, Ints, slots


class Sheet:
    """Long rows of the slots of one frame."""

    def __init__(self, frame: Frame) -> None:
        """Begin without rows."""
        self.slots = slots(frame.shape)
        simulated = np.bincount(frame.group, frame.simulated, minlength=frame.rows_count)
        frame.pool(simulated)
        self.simulated = np.zeros(frame.shape[0] * self.slots[0] * self.slots[1], bool)
        self.simulated[frame.slot] = simulated[frame.row_of_slot] > 0
        self.names: list[tuple[str, str]] = []
        self.columns: dict[str, list[npt.NDArray[Any]]] = {}

    def add(
        self, kpi: str, statistic: str, index: Ints, estimate: Estimate, counts: Counts, rows_count: Floats,
        freedom: Floats, error: Floats | None = None,
    ) -> None:  # fmt: skip
        """Add one statistic of a KPI; everything is given for the slots of `index`."""
        operators, technologies = self.slots
        unit, pair = np.divmod(index, operators * technologies)
        columns = {
            "unit": unit.astype(np.int32),
            "operator": (pair // technologies).astype(np.int16),
            "technology": (pair % technologies).astype(np.int16),
            **estimate._asdict(),
            "samples_count": counts.samples.astype(np.int64),
            "devices_count": counts.devices.astype(np.int64),
            "rows_count": np.rint(rows_count).astype(np.int64),
            "days_count": counts.days.astype(np.int64),
            "is_simulated": self.simulated[index],
            "error": np.full(len(index), np.nan) if error is None else error,
            "freedom": freedom,
            "name": np.full(len(index), len(self.names), np.int16),
        }
        self.names.append((kpi, statistic))
        for name, values in columns.items():
            self.columns.setdefault(name, []).append(values)

    def frame(self) -> pl.DataFrame:
        """Return all rows."""
        whole = pl.DataFrame({name: np.concatenate(parts) for name, parts in self.columns.items()})
        number = whole["name"]
        names = pl.DataFrame(self.names, schema=["kpi", "statistic"], orient="row")
        return whole.drop("name").with_columns(names[number])
