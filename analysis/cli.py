"""The `haidang-analysis` command: one verb a module in `analysis.commands`, loaded when it is called."""

from __future__ import annotations

from verbs import Verb, program, runner

VERBS = {
    "import": Verb("import_", "bring in logs and results of other tools"),
    "rate": Verb("rate", "rate areas, base stations, operators"),
    "compliance": Verb("compliance", "verdicts against QCVN limits"),
    "sites": Verb("sites", "availability of fixed lines"),
    "participation": Verb("participation", "users and samples against targets"),
    "compare": Verb("compare", "two periods, areas or operators"),
    "changes": Verb("changes", "what changed since the month before"),
    "coverage": Verb("coverage", "signal surfaces and holes between the samples"),
    "degraded": Verb("degraded", "what is worse than its own past"),
    "plan": Verb("plan", "where to measure next"),
    "export": Verb("export", "open data under the privacy floors"),
}

group = program("analysis", "Judge what was measured: rate, compare, map, detect, plan.", VERBS)
main = runner(group)
