from archive.stations import StationIndex, distance_m
from measurement.geography import BaseStation
from measurement.vocabulary import Leg, MatchedBy


def station(
    key: str, longitude: float, *, operator: str = "Viettel", technology: str = "lte", **more: object
) -> BaseStation:
    return BaseStation(
        id=key, operator=operator, technology=technology, longitude_deg=longitude, latitude_deg=20.85, **more
    )  # type: ignore[arg-type]


INDEX = StationIndex(
    [
        station("HP-1", 106.60, base_station_id=500),
        station("HP-2", 106.63, cell_ids=[501 * 256 + 7]),
        station("HP-3", 106.60, operator="MobiFone", base_station_id=500),
        station("HP-4", 106.61, technology="nr_sa", base_station_id=77),
    ],
    {"452-04": 28},
)


def match(**asked: object) -> object:
    base = {"operator": "Viettel", "plmn": "452-04", "technology": "lte", "cell_id": None, "base_station_id": None}
    return INDEX.match(**(base | {"longitude": 106.601, "latitude": 20.85} | asked))  # type: ignore[arg-type]


def test_the_enb_within_the_cell_id_names_the_station_of_the_operator() -> None:
    found = match(cell_id=500 * 256 + 3)
    assert (found.id, found.matched_by, found.is_doubtful) == ("HP-1", MatchedBy.IDENTITY, False)
    assert 90 < found.distance_m < 120
    assert match(cell_id=500 * 256 + 3, operator="mobifone").id == "HP-3"


def test_a_listed_cell_goes_before_its_enb() -> None:
    assert match(cell_id=501 * 256 + 7).id == "HP-2"


def test_the_gnb_is_cut_by_the_length_set_for_the_plmn() -> None:
    assert match(technology="nr_sa", cell_id=77 << 8 | 5, leg=Leg.NR).id == "HP-4"


def test_identity_holds_without_a_position() -> None:
    found = match(cell_id=500 * 256 + 3, longitude=None, latitude=None)
    assert (found.id, found.distance_m) == ("HP-1", None)


def test_without_identity_the_nearest_of_the_operator() -> None:
    found = match()
    assert (found.id, found.matched_by, found.is_doubtful) == ("HP-1", MatchedBy.DISTANCE, False)
    assert match(longitude=106.6149).is_doubtful
    assert match(operator="MobiFone").id == "HP-3"


def test_nothing_beyond_reach_and_nothing_on_wifi() -> None:
    assert match(longitude=107.5) is None
    assert match(technology="wifi") is None
    assert match(operator=None) is None
    assert match(operator="Gmobile") is None


def test_distance_is_that_of_the_sphere() -> None:
    assert abs(distance_m(106, 20, 107, 20) - 104_488) < 5
