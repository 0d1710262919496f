"""Real drive tests of Cork and Dakar as points: longitude, latitude, RSRP, technology, serving cell."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from analysis.coverage.blocks import Blocks
from analysis.coverage.plane import Plane, plane_of

DATA = Path(__file__).parents[2] / "shared" / "data"
CORK = DATA / "ucc_5g" / "5G-production-dataset.zip"
DAKAR = DATA / "gnettrack_dakar"
SCHEMA = {
    "longitude": pl.Float64,
    "latitude": pl.Float64,
    "rsrp": pl.Float64,
    "technology": pl.String,
    "site": pl.String,
}


def _points(frame: pl.DataFrame, site: str) -> pl.DataFrame:
    """Keep the rows of a G-NetTrack log that have a place and a level within what LTE and NR can report."""
    level = pl.col("RSRP").cast(pl.Float64, strict=False)
    return (
        frame.select(
            pl.col("Longitude").cast(pl.Float64, strict=False).alias("longitude"),
            pl.col("Latitude").cast(pl.Float64, strict=False).alias("latitude"),
            level.alias("rsrp"),
            pl.col("NetworkMode").alias("technology"),
            pl.col(site).cast(pl.String).alias("site"),
        )
        .filter((pl.col("rsrp") > -144) & (pl.col("rsrp") < -30))
        .drop_nulls(["longitude", "latitude"])
    )


def cork() -> pl.DataFrame:
    """Read the driving logs of the UCC 5G dataset (Raca et al., MMSys 2020), 4G and 5G."""
    parts = []
    with zipfile.ZipFile(CORK) as archive:
        for name in sorted(archive.namelist()):
            if "/Driving/" in name and name.endswith(".csv") and "__MACOSX" not in name:
                frame = pl.read_csv(io.BytesIO(archive.read(name)), infer_schema_length=0)
                parts.append(_points(frame, "NODEHEX"))
    return pl.concat(parts).filter(pl.col("technology").is_in(["5G", "LTE"]))


def dakar(operator: str = "Orange") -> pl.DataFrame:
    """Read the G-NetTrack logs of one operator in Dakar (braz0101/GNetTrackAnalytics), LTE."""
    parts = [pl.DataFrame(schema=SCHEMA)]
    for path in sorted(DAKAR.rglob("*_log.txt")):
        frame = pl.read_csv(
            path, separator="\t", infer_schema_length=0, truncate_ragged_lines=True, quote_char=None,
            encoding="utf8-lossy",
        )  # fmt: skip
        own = frame.filter((pl.col("Operatorname") == operator) & (pl.col("NetworkTech") == "4G"))
        parts.append(_points(own.rename({"Level": "RSRP", "NetworkTech": "NetworkMode"}), "Node"))
    return pl.concat(parts)


def blocks(points: pl.DataFrame, size_m: float = 50.0) -> tuple[Blocks, Plane]:
    """Average points over squares, every sample alike: the mean is what every method is asked for."""
    plane = plane_of(points["longitude"].to_numpy(), points["latitude"].to_numpy())
    place = plane.project(points["longitude"].to_numpy(), points["latitude"].to_numpy())
    grouped = (
        points.with_columns(pl.Series("x", place[:, 0]), pl.Series("y", place[:, 1]))
        .with_columns((pl.col("x") / size_m).floor().alias("i"), (pl.col("y") / size_m).floor().alias("j"))
        .group_by("i", "j")
        .agg(pl.col("x", "y", "rsrp").mean(), pl.len(), pl.col("site").mode().sort().first())
        .sort("i", "j")
    )
    site = grouped["site"].rank("dense").fill_null(0).cast(pl.Int64).to_numpy() - 1
    middle: npt.NDArray[np.float64] = grouped.select("x", "y").to_numpy()
    return Blocks(middle, grouped["rsrp"].to_numpy(), grouped["len"].cast(pl.Int64).to_numpy(), site), plane


def pictures(folder: Path) -> None:
    """Draw the surfaces of Cork and Dakar with their deviation beside them."""
    from analysis.coverage.kpis import BY_ID
    from analysis.coverage.picture import draw
    from analysis.coverage.run import Drawn
    from analysis.coverage.surface import fit_surface

    for name, points, operator, title in (
        ("cork", cork(), "B", "Cork, drives of 2019-2020: grey is not known"),
        ("dakar", dakar(), "Orange", "Orange 4G, Dakar, walk of 2025-07-18: grey is not known"),
    ):
        averaged, plane = blocks(points)
        surface = fit_surface(averaged, np.zeros((0, 2)), np.random.default_rng(1))
        drawn = Drawn(operator, "4g", BY_ID["rsrp"], points.height, False, surface)
        draw(folder / f"{name}.png", drawn, plane, title=title)


if __name__ == "__main__":
    pictures(Path(__file__).parents[1] / "docs" / "pictures")
