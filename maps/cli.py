"""The `haidang-maps` command: one verb a module in `maps.commands`, loaded when it is called."""

from __future__ import annotations

from verbs import Verb, program, runner

VERBS = {
    "build": Verb("build", "the map site, static files"),
    "image": Verb("image", "a map as PNG"),
    "report": Verb("report", "a month as PDF"),
}

group = program("maps", "Show what was judged.", VERBS)
main = runner(group)
