"""Classes of access technology that are rated apart."""

from __future__ import annotations

from measurement.vocabulary import Technology

CLASSES: dict[Technology, str] = {
    Technology.NR_SA: "5g",
    Technology.NR_NSA: "5g",
    Technology.LTE: "4g",
    Technology.UMTS: "3g",
    Technology.GSM: "2g",
    Technology.WIFI: "fixed",
    Technology.ETHERNET: "fixed",
}
"""Technology of the record -> class of the rating."""

MOBILE = ("5g", "4g", "3g", "2g")
"""Classes that areas and base stations are rated on."""

BASIC = "4g"
"""Class that a test without any service counts against: the layer every operator must offer everywhere."""
