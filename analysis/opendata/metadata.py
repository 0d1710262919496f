"""What a portal reads: the Frictionless data package with its dictionary, DCAT in JSON-LD, and a page for people."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import h3

from analysis.opendata.dictionary import KEY, columns
from analysis.opendata.files import File
from analysis.opendata.release import MIN_DEVICES, MIN_TESTS, Release, closes_on

NAME = "hai-dang-hexagons"
TITLE = {
    "en": "Quality of mobile networks by hexagon, month, operator and technology",
    "vi": "Chất lượng mạng di động theo ô lục giác, tháng, nhà mạng và công nghệ",
}
METHOD = {
    "en": (
        "Medians over one value for each device, hexagon and day. Rows with fewer than {tests} tests or {devices} "
        "devices are not published. Months are closed before they are published; published rows are not revised, only "
        "withdrawn. Figures carry three significant digits. No device identifiers, no times finer than a month."
    ),
    "vi": (
        "Trung vị trên một giá trị cho mỗi thiết bị, ô và ngày. Không công bố dòng có dưới {tests} lần đo hoặc "
        "{devices} thiết bị. Tháng chỉ công bố khi đã khép lại; dòng đã công bố không sửa, chỉ có thể rút lại. "
        "Số liệu làm tròn đến ba chữ số có nghĩa. Không có mã thiết bị, không có thời gian chi tiết hơn tháng."
    ),
}


class Licence(NamedTuple):
    """A licence by its SPDX name and its address."""

    name: str
    path: str
    title: str


LICENCES = {
    "CC-BY-4.0": Licence(
        "CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/", "Creative Commons Attribution 4.0 International"
    ),
    "CC0-1.0": Licence(
        "CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/", "Creative Commons Zero 1.0 Universal"
    ),
    "ODbL-1.0": Licence(
        "ODbL-1.0", "https://opendatacommons.org/licenses/odbl/1-0/", "Open Data Commons Open Database License 1.0"
    ),
}


class Terms(NamedTuple):
    """Who publishes, under which licence, where, when."""

    licence: Licence
    publisher: str
    base_url: str | None
    made_at: datetime


def method(language: str) -> str:
    """Return the method in a language."""
    return METHOD[language].format(tests=MIN_TESTS, devices=MIN_DEVICES)


def _simulated(release: Release) -> bool:
    return bool(release.frame["is_simulated"].any()) if release.frame.height else False


def data_package(release: Release, files: list[File], terms: Terms) -> dict[str, Any]:
    """Return datapackage.json (Frictionless Data Package 1)."""
    fields = [
        {
            "name": c.name, "type": c.type, "title": c.meaning_en, "description": c.meaning_vi,
            **({"unit": c.unit} if c.unit else {}),
            **({"constraints": {"required": True}} if c.name in KEY else {}),
            **({"constraints": {"required": True, "minimum": MIN_TESTS}} if c.name == "tests_count" else {}),
            **({"constraints": {"required": True, "minimum": MIN_DEVICES}} if c.name == "devices_count" else {}),
        }
        for c in columns(release.kpis)
        if c.name in release.frame.columns
    ]  # fmt: skip
    resources: list[dict[str, Any]] = []
    for file in files:
        resource: dict[str, Any] = {
            "name": file.path.removeprefix("data/").replace(".", "-").lower(),
            "path": file.path, "title": file.title, "format": file.format, "mediatype": file.media_type,
            "bytes": file.byte_count, "hash": f"sha256:{file.sha256}",
        }  # fmt: skip
        if file.format == "csv":
            resource |= {
                "profile": "tabular-data-resource",
                "encoding": "utf-8",
                "schema": {"fields": fields, "primaryKey": list(KEY), "missingValues": [""]},
            }
        resources.append(resource)
    return {
        "profile": "data-package",
        "name": NAME,
        "title": TITLE["en"],
        "title_vi": TITLE["vi"],
        "description": method("en"),
        "description_vi": method("vi"),
        "created": terms.made_at.isoformat(timespec="seconds"),
        "version": terms.made_at.strftime("%Y.%m.%d"),
        "is_simulated": _simulated(release),
        "h3_resolution": release.resolution,
        "licenses": [terms.licence._asdict()],
        "contributors": [{"title": terms.publisher, "role": "publisher"}],
        "keywords": ["4G", "5G", "QoS", "H3", "Hải Phòng"],
        "resources": resources,
    }


def _box(release: Release) -> str | None:
    if not release.frame.height:
        return None
    corners = [c for cell in release.frame["h3_cell"].unique() for c in h3.cell_to_boundary(cell)]
    south, north = min(c[0] for c in corners), max(c[0] for c in corners)
    west, east = min(c[1] for c in corners), max(c[1] for c in corners)
    ring = ((west, south), (east, south), (east, north), (west, north), (west, south))
    return "POLYGON((" + ", ".join(f"{x:.4f} {y:.4f}" for x, y in ring) + "))"


def _last_day(month: str) -> date:
    return closes_on(month) - timedelta(days=8)


def dcat(release: Release, files: list[File], terms: Terms) -> dict[str, Any]:
    """Return the dataset in DCAT 2 as JSON-LD, which CKAN's ckanext-dcat harvests."""
    base = terms.base_url or "."

    def texts(both: dict[str, str]) -> list[dict[str, str]]:
        return [{"@value": both[code], "@language": code} for code in ("vi", "en")]

    dataset: dict[str, Any] = {
        "@id": f"{base}/datapackage.json",
        "@type": "dcat:Dataset",
        "dct:title": texts(TITLE),
        "dct:description": texts({code: method(code) for code in ("vi", "en")}),
        "dct:publisher": {"@type": "foaf:Organization", "foaf:name": terms.publisher},
        "dct:license": {"@id": terms.licence.path},
        "dct:issued": {"@value": terms.made_at.date().isoformat(), "@type": "xsd:date"},
        "dct:accrualPeriodicity": {"@id": "http://publications.europa.eu/resource/authority/frequency/MONTHLY"},
        "dcat:keyword": ["4G", "5G", "QoS"],
        "dcat:distribution": [
            {
                "@type": "dcat:Distribution",
                "dct:title": file.title,
                "dcat:downloadURL": {"@id": f"{base}/{file.path}"},
                "dcat:mediaType": file.media_type,
                "dct:format": file.format.upper(),
                "dcat:byteSize": {"@value": str(file.byte_count), "@type": "xsd:nonNegativeInteger"},
                "spdx:checksum": {
                    "@type": "spdx:Checksum",
                    "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"},
                    "spdx:checksumValue": {"@value": file.sha256, "@type": "xsd:hexBinary"},
                },
                "dct:license": {"@id": terms.licence.path},
            }
            for file in files
        ],
    }
    box = _box(release)
    if box:
        dataset["dct:spatial"] = {
            "@type": "dct:Location",
            "dcat:bbox": {"@value": box, "@type": "http://www.opengis.net/ont/geosparql#wktLiteral"},
        }
        months = sorted(release.frame["month"].unique())
        dataset["dct:temporal"] = {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": {"@value": f"{months[0]}-01", "@type": "xsd:date"},
            "dcat:endDate": {"@value": _last_day(months[-1]).isoformat(), "@type": "xsd:date"},
        }
    return {
        "@context": {
            "dcat": "http://www.w3.org/ns/dcat#",
            "dct": "http://purl.org/dc/terms/",
            "foaf": "http://xmlns.com/foaf/0.1/",
            "spdx": "http://spdx.org/rdf/terms#",
            "xsd": "http://www.w3.org/2001/XMLSchema#",
        },
        "@graph": [dataset],
    }


def readme(release: Release, terms: Terms) -> str:
    """Return README.md: what it is, the columns, the method, the licence, in both languages."""
    warning = {
        "vi": "**Số liệu mô phỏng: không nói gì về mạng thật.**\n\n",
        "en": "**Simulated data: it says nothing about real networks.**\n\n",
    }
    parts = []
    for code, heads in (("vi", ("Cột", "Đơn vị", "Ý nghĩa")), ("en", ("Column", "Unit", "Meaning"))):
        rows = "\n".join(
            f"| `{c.name}` | {c.unit} | {c.meaning_vi if code == 'vi' else c.meaning_en} |"
            for c in columns(release.kpis)
            if c.name in release.frame.columns
        )
        parts.append(
            f"# {TITLE[code]}\n\n{warning[code] if _simulated(release) else ''}{method(code)}\n\n"
            f"| {' | '.join(heads)} |\n|---|---|---|\n{rows}\n\nH3: {release.resolution}. "
            f"[{terms.licence.title}]({terms.licence.path}), {terms.publisher}.\n"
        )
    return "\n".join(parts)
