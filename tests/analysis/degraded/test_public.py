"""Who is to blame by name is for the operator of the system: no public answer has it."""

import msgspec

from collector import published
from collector.metrics import METRICS
from maps.findings import FINDINGS


def test_no_public_answer_names_a_blamed_probe() -> None:
    for finding in FINDINGS:
        assert "blamed" not in str(finding)
    answers = [kind for kind in vars(published).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    assert answers
    for kind in answers:
        assert "blamed" not in kind.__struct_fields__
    assert not any("blamed" in metric.labels for metric in METRICS)
