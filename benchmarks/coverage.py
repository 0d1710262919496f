"""Surfaces on real drives and on a known field, beside inverse distance weighting and pykrige in the same run."""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import numpy as np
import numpy.typing as npt

from analysis.coverage.blocks import Blocks, average
from analysis.coverage.neighbours import beyond
from analysis.coverage.surface import fit_surface
from analysis.coverage.validation import HELD_OUT_M, inverse_distance
from benchmarks import Row, drives

Floats = npt.NDArray[np.float64]
TOPIC = "coverage"
NO_STATIONS = np.zeros((0, 2))


def _rmse(error: Floats) -> float:
    return float(np.sqrt(np.mean(error**2)))


def _idw_all(blocks: Blocks) -> Floats:
    """Weigh every block at or beyond the held-out distance, as GDAL and QGIS do by default (power 2, no limit)."""
    gap = blocks.points[:, None] - blocks.points[None]
    distance = np.hypot(gap[..., 0], gap[..., 1])
    weight = np.where(distance >= HELD_OUT_M, 1 / np.maximum(distance, 1e-9) ** 2, 0.0)
    return np.asarray(weight @ blocks.values / weight.sum(1))


def _pykrige(blocks: Blocks, every: int, model: str) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Krige every n-th block with everything within the distance left out; pykrige fits its own variogram to all."""
    from pykrige.ok import OrdinaryKriging

    chosen = np.arange(0, len(blocks.values), every)
    x, y = blocks.points.T
    fitted = list(OrdinaryKriging(x, y, blocks.values, variogram_model=model).variogram_model_parameters)
    # pykrige returns (psill, range, nugget) and takes (sill, range, nugget); its linear model is (slope, nugget).
    given = fitted if model == "linear" else [fitted[0] + fitted[2], fitted[1], fitted[2]]
    said = np.empty(len(chosen))
    for number, block in enumerate(chosen):
        kept = np.hypot(x - x[block], y - y[block]) >= HELD_OUT_M
        kriging = OrdinaryKriging(
            x[kept], y[kept], blocks.values[kept], variogram_model=model, variogram_parameters=given
        )
        said[number] = kriging.execute(
            "points", x[block : block + 1], y[block : block + 1], backend="loop", n_closest_points=32
        )[0][0]
    return said, chosen


def cork(every: int = 6) -> list[Row]:
    """Hold out everything within 200 m of each 50 m block of the drives in Cork."""
    blocks, _ = drives.blocks(drives.cork())
    surface = fit_surface(blocks, NO_STATIONS, np.random.default_rng(1))
    assert surface is not None
    reports = {report.scheme: report for report in surface.reports}
    held = reports["held out 200 m"]
    near, _ = beyond(blocks.points, blocks.points, HELD_OUT_M)
    idw = {
        "IDW of all (GDAL, QGIS default)": _rmse(_idw_all(blocks) - blocks.values),
        "IDW k=12 (ArcGIS default)": _rmse(inverse_distance(blocks.values, near) - blocks.values),
        "IDW k=4 (the best k, known afterwards)": _rmse(inverse_distance(blocks.values, near, count=4) - blocks.values),
    }
    own_there = _rmse(surface.held_out.error[surface.held_out.block % every == 0])
    plain = {}
    for model in ("linear", "exponential"):
        said, chosen = _pykrige(blocks, every, model)
        plain[f"pykrige {model}, window 32"] = _rmse(said - blocks.values[chosen])
    gains = {name: 100 * (1 - held.rmse / value) for name, value in idw.items()}
    beside = {name: 100 * (1 - own_there / value) for name, value in plain.items()}
    isotropic = [f"{r.rmse:.2f} dB without anisotropy" for name, r in reports.items() if "isotropic" in name]
    return [
        Row(
            TOPIC, "Cork drives, 50 m blocks, all within 200 m held out: error of RSRP",
            "10 % below IDW and plain ordinary kriging",
            "; ".join(
                [f"{held.rmse:.2f} dB over {held.blocks_count} blocks",
                 f"on every {every}th {own_there:.2f} dB", *isotropic]
            ),
            "; ".join(
                [f"{n} {v:.2f} dB ({gains[n]:+.1f} %)" for n, v in idw.items()]
                + [f"{n} {v:.2f} dB ({beside[n]:+.1f} %)" for n, v in plain.items()]
            ),
        ),
        Row(TOPIC, "the same: blocks inside their own 95 % interval", "90-98 %", f"{100 * held.coverage:.1f} %",
            "; ".join(f"{name} {100 * r.coverage:.1f} %, error {r.rmse:.2f} dB (IDW k=12 {r.idw_rmse:.2f} dB)"
                      for name, r in reports.items() if r is not held and "isotropic" not in name)
            + "; candidates and interval factors chosen on the other folds"),
    ]  # fmt: skip


def dakar() -> list[Row]:
    """Hold out the same on two walks in Dakar, too small to choose anything by."""
    measured, beside = [], []
    for operator in ("Orange", "Yas"):
        blocks, _ = drives.blocks(drives.dakar(operator))
        surface = fit_surface(blocks, NO_STATIONS, np.random.default_rng(1))
        assert surface is not None
        held = surface.reports[0]
        measured.append(
            f"{operator} {held.rmse:.1f} dB over {held.blocks_count} blocks, {100 * held.coverage:.0f} % inside"
        )
        beside.append(f"{operator}: IDW k=12 {held.idw_rmse:.1f} dB ({100 * (1 - held.rmse / held.idw_rmse):+.0f} %)")
    return [Row(TOPIC, "Dakar walks, the same held out", "no worse than IDW", "; ".join(measured), "; ".join(beside))]


def field(samples: int = 50_000, side: int = 200, seed: int = 1) -> tuple[Floats, Floats, Floats, Floats]:
    """Return points, values, grid and its truth: a smooth field of 500 m range with 4 dB noise, 10 km square."""
    rng = np.random.default_rng(seed)
    waves = 400
    frequency = rng.standard_t(3, (waves, 2)) / 500.0
    phase = rng.uniform(0, 2 * np.pi, waves)

    def truth(points: Floats) -> Floats:
        total = np.zeros(len(points))
        for wave, shift in zip(frequency, phase, strict=True):
            total += np.cos(points @ wave + shift)
        return np.asarray(-95 + 8 * np.sqrt(2 / waves) * total)

    points = rng.uniform(0, 10_000, (samples, 2))
    axis = np.linspace(25, 9_975, side)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    return points, truth(points) + rng.normal(0, 4, samples), grid, truth(grid)


def _ours(samples: int = 50_000) -> tuple[float, float, float, float]:
    """Return CPU seconds, peak megabytes, error and coverage of our surface, validation included."""
    points, values, grid, truth = (column[:samples] if n < 2 else column for n, column in enumerate(field()))
    began = time.process_time()
    nobody = np.arange(len(values))
    blocks = average(points, values, nobody, np.full(len(values), -1))
    surface = fit_surface(blocks, NO_STATIONS, np.random.default_rng(1))
    assert surface is not None
    said = surface.predict(grid)
    seconds = time.process_time() - began
    inside = float(np.mean(np.abs(said.mean - truth) < 1.96 * said.error))
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, _rmse(said.mean - truth), inside


def _backend() -> str:
    """Return pykrige's compiled backend, the fastest it has, where it was built."""
    try:
        from pykrige.lib import cok  # noqa: F401
    except ImportError:
        return "loop"
    return "C"


def _window(targets: int = 10_000) -> tuple[float, float, float, float]:
    """Return CPU seconds, peak megabytes, error and targets of pykrige's moving window of 32."""
    from pykrige.ok import OrdinaryKriging

    points, values, grid, truth = field()
    some = np.random.default_rng(2).choice(len(grid), targets, replace=False)
    few = np.random.default_rng(3).choice(len(values), 2000, replace=False)
    fitted = list(
        OrdinaryKriging(*points[few].T, values[few], variogram_model="exponential").variogram_model_parameters
    )
    given = [fitted[0] + fitted[2], fitted[1], fitted[2]]
    began = time.process_time()
    kriging = OrdinaryKriging(*points[:12_500].T, values[:12_500], variogram_model="exponential",
                              variogram_parameters=given)  # fmt: skip
    said, _ = kriging.execute("points", *grid[some].T, backend=_backend(), n_closest_points=32)
    seconds = time.process_time() - began
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, _rmse(said - truth[some]), float(targets)


def _ours_of_fourth() -> tuple[float, float, float, float]:
    """Return the same from the samples that pykrige is given."""
    return _ours(12_500)


def _apart(name: str) -> list[float]:
    """Run one side in a process of its own, so that its memory is its own."""
    code = f"from benchmarks import coverage; print(*coverage.{name}())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [float(part) for part in done.stdout.split()[-4:]]


def speed() -> list[Row]:
    """Draw 200 x 200 cells with sigma from 50,000 samples."""
    seconds, megabytes, error, inside = _apart("_ours")
    same, _, same_error, _ = _apart("_ours_of_fourth")
    theirs, room, peer_error, targets = _apart("_window")
    theirs *= 40_000 / targets
    return [
        Row(
            TOPIC, "50,000 samples to a 200 x 200 grid with sigma, fit and validation included, simulated field",
            "<= 6 s, <= 1 GB", f"{seconds:.1f} s of CPU, {megabytes / 1000:.2f} GB",
            f"error {error:.2f} dB; {100 * inside:.0f} % of the truth inside the 95 % interval of the mean",
        ),
        Row(
            TOPIC, "the same beside pykrige's moving window, k = 32", ">= 10 x faster at no higher error",
            f"{theirs / same:.1f} x from the same 12,500 samples, error {same_error:.2f} dB",
            f"pykrige ({_backend()}) {theirs:.0f} s of CPU (from {targets:,.0f} targets; {room / 1000:.1f} GB for "
            f"them), error {peer_error:.2f} dB; its memory grows with samples x targets, so it is given a fourth",
        ),
    ]  # fmt: skip


def run() -> list[Row]:
    """Return the rows."""
    return [*cork(), *dakar(), *speed()]


if __name__ == "__main__":
    parts = {"cork": cork, "dakar": dakar, "speed": speed}
    for row in parts[sys.argv[1]]() if sys.argv[1:] else run():
        print(row)
