"""The `haidang-collector` command: one verb a module in `collector.commands`, loaded when it is called."""

from __future__ import annotations

from verbs import Verb, program, runner

VERBS = {
    "serve": Verb("serve", "receive records, serve the API and the site"),
    "check": Verb("check", "check a configuration without serving"),
    "token": Verb("token", "enrol, list and revoke probes and readers"),
    "backup": Verb("backup", "copy the archive while it is written to"),
    "verify": Verb("verify", "is this archive whole?"),
    "sinks": Verb("sinks", "the lag of each sink; replay a range"),
}

group = program("collector", "Receive, place and keep records.", VERBS)
main = runner(group)
