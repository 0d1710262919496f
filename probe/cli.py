"""The `haidang-probe` command: one verb a module in `probe.commands`, loaded when it is called."""

from __future__ import annotations

from verbs import Verb, program, runner

VERBS = {
    "test": Verb("test", "one measurement now"),
    "run": Verb("run", "the agent: measure on a schedule, keep, report"),
    "drive": Verb("drive", "drive test: radio and position each second"),
    "path": Verb("path", "where on the path to a host it goes wrong"),
    "doctor": Verb("doctor", "what this device can measure at best"),
    "enrol": Verb("enrol", "exchange a one-time code for a token"),
    "spool": Verb("spool", "what waits to be delivered"),
    "peer": Verb("peer", "the measurement server, the other end of every method"),
}

group = program("probe", "Measure a mobile network from this device.", VERBS)
main = runner(group)
