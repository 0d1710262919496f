"""Placing: which area of each layer, which H3 cell, which base station. The one way in for records and for arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import h3.api.basic_int as h3_int
import numpy as np
import numpy.typing as npt

from archive.areas import AreaIndex
from archive.stations import Match, StationIndex
from archive.store import Archive
from measurement.geography import BaseStation, Layer
from measurement.radio import operator_of, summarise
from measurement.record import BaseStationMatch, Record
from measurement.vocabulary import Leg, Technology

H3_RESOLUTION = 10
_FEW = 16  # below, asking point by point is faster than setting up arrays


class Place:
    """Where one record belongs. Live state: the record's own fields are made from it."""

    __slots__ = ("areas", "h3_cell", "match")

    def __init__(self) -> None:
        """Begin with nowhere."""
        self.areas: dict[str, str] = {}
        self.h3_cell: int | None = None
        self.match: Match | None = None

    @property
    def base_station(self) -> BaseStationMatch | None:
        """The match as the record tells it."""
        if self.match is None:
            return None
        return BaseStationMatch(id=self.match.id, distance_m=self.match.distance_m, matched_by=self.match.matched_by)


class Placer:
    """Layers and registry, ready to be asked by many records at once."""

    def __init__(
        self,
        layers: Sequence[Layer],
        stations: Iterable[BaseStation] = (),
        gnb_id_bits: Mapping[str, int] | None = None,
    ) -> None:
        """Prepare the layers and the registry."""
        self._layers = [AreaIndex(layer) for layer in layers]
        self.layer_keys = [layer.key for layer in layers]
        self._stations = StationIndex(stations, gnb_id_bits)

    def build(self) -> None:
        """Make the grids of all layers now: about half a second for 114 communes; placing works before, but slower."""
        for layer in self._layers:
            layer.build()

    @classmethod
    def of(cls, archive: Archive) -> Placer:
        """Return the placer of an archive's own layers and registry."""
        bits = {name: int(value) for name, value in archive.settings("gnb_id_bits.").items()}
        return cls(archive.layers(), archive.base_stations(), bits)

    def areas(
        self, longitude: Sequence[float] | npt.NDArray[np.float64], latitude: Sequence[float] | npt.NDArray[np.float64]
    ) -> dict[str, npt.NDArray[np.object_]]:
        """Return for each layer the key of each point's area, None outside all."""
        x, y = np.asarray(longitude, dtype=np.float64), np.asarray(latitude, dtype=np.float64)
        return {layer.key: layer.areas(x, y) for layer in self._layers}

    @staticmethod
    def h3(longitude: Iterable[float], latitude: Iterable[float]) -> npt.NDArray[np.int64]:
        """Return each point's H3 cell at resolution 10 as a 64-bit integer."""
        cell = h3_int.latlng_to_cell
        return np.array([cell(y, x, H3_RESOLUTION) for x, y in zip(longitude, latitude, strict=True)], dtype=np.int64)

    def match(
        self,
        *,
        operator: str | None,
        plmn: str | None = None,
        technology: str | None,
        cell_id: int | None = None,
        base_station_id: int | None = None,
        leg: Leg = Leg.ANCHOR,
        longitude: float | None = None,
        latitude: float | None = None,
    ) -> Match | None:
        """Return the base station of one record, None where nothing fits."""
        return self._stations.match(
            operator=operator,
            plmn=plmn,
            technology=technology,
            cell_id=cell_id,
            base_station_id=base_station_id,
            leg=leg,
            longitude=longitude,
            latitude=latitude,
        )

    def place(self, records: Sequence[Record]) -> list[Place]:
        """Return where each record belongs."""
        places = [Place() for _ in records]
        known = [(p, r.position) for p, r in zip(places, records, strict=True) if r.position is not None]
        if known:
            x = [position.longitude_deg for _, position in known]
            y = [position.latitude_deg for _, position in known]
            for (place, _), cell in zip(known, self.h3(x, y).tolist(), strict=True):
                place.h3_cell = cell
            for layer, keys in self._few(x, y) if len(known) < _FEW else self.areas(x, y).items():
                for (place, _), key in zip(known, keys, strict=True):
                    if key is not None:
                        place.areas[layer] = key
        if self._stations:
            for place, record in zip(places, records, strict=True):
                place.match = self._match_record(record)
        return places

    def _few(self, longitude: list[float], latitude: list[float]) -> Iterator[tuple[str, list[str | None]]]:
        for layer in self._layers:
            yield layer.key, [layer.area(x, y) for x, y in zip(longitude, latitude, strict=True)]

    def _match_record(self, record: Record) -> Match | None:
        network = record.network
        if network is None:
            return None
        leg = Leg.NR if network.technology is Technology.NR_SA else Leg.ANCHOR
        cell = summarise(record.radio or (), leg)
        position = record.position
        return self.match(
            operator=network.operator or operator_of(network.mcc, network.mnc),
            plmn=f"{network.mcc}-{network.mnc}",
            technology=network.technology,
            cell_id=cell.cell_id,
            base_station_id=cell.base_station_id,
            leg=leg,
            longitude=None if position is None else position.longitude_deg,
            latitude=None if position is None else position.latitude_deg,
        )
