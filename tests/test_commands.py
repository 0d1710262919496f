"""Every command explains itself: help that opens, with examples, and no trace of its markup."""

import importlib

import click
import pytest
from click.testing import CliRunner

PACKAGES = ("probe", "collector", "analysis", "maps", "simulation")
VERBS = [(package, verb) for package in PACKAGES for verb in importlib.import_module(f"{package}.cli").VERBS]


@pytest.mark.parametrize(("package", "verb"), VERBS)
def test_help_opens_with_examples(package, verb):
    group = importlib.import_module(f"{package}.cli").group
    done = CliRunner().invoke(group, [verb, "--help"], prog_name=f"haidang-{package}")
    assert done.exit_code == 0, done.output
    assert "\\b" not in done.output
    assert f"haidang-{package} {verb}" in done.output.split("Options:")[0].split("\n", 1)[1] or "xample" in done.output


@pytest.mark.parametrize("package", PACKAGES)
def test_an_unknown_verb_is_bad_usage(package):
    group = importlib.import_module(f"{package}.cli").group
    assert isinstance(group, click.Group)
    assert CliRunner().invoke(group, ["nonsense"]).exit_code == 2
