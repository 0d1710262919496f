"""The `haidang-simulation` command: one verb a module in `simulation.commands`, loaded when it is called."""

from __future__ import annotations

from verbs import Verb, program, runner

VERBS = {
    "city": Verb("city", "records of a simulated city, with its truth"),
}

group = program("simulation", "Make a city whose true quality is known. Its records are labelled simulated.", VERBS)
main = runner(group)
