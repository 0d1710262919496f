"""Every command line that a page shows is one the programs would take: verb, options and how many words."""

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [ROOT / "README.md", *ROOT.glob("README.*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "probe").rglob("*.md")]
)
PROGRAM = re.compile(r"^(?:.*?\s)?haidang-(probe|collector|analysis|maps|simulation)\s+(\S.*)$")
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`haidang-(probe|collector|analysis|maps|simulation) ([a-z][^`\n]*)`")
AFTER = re.compile(r"\s{2,}|\s#\s|\s[|>&]|;|\\$")
"""Where the command ends: an explanation in the next column, a comment, a pipe."""


def shown(text: str) -> Iterator[tuple[str, str]]:
    """Give program and words of each command in the fenced blocks of a page, continued lines joined."""
    for block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if (found := PROGRAM.match(line.strip())) and not line.lstrip().startswith(("#", "Usage", ">")):
                words = AFTER.split(re.sub(r"\s+", " ", found[2]) if "  " not in found[2] else found[2])[0]
                yield found[1], words.strip()
    for program, words in INLINE.findall(FENCE.sub("", text)):
        yield program, re.sub(r"[\[\]]", "", words)  # a synopsis


COMMANDS = sorted(
    {(str(page.relative_to(ROOT)), *command) for page in PAGES for command in shown(page.read_text("utf-8"))}
)


def test_pages_show_commands():
    assert len(COMMANDS) > 40


@pytest.mark.parametrize(("page", "program", "words"), COMMANDS)
def test_the_command_would_be_taken(page, program, words):
    command: click.Command = importlib.import_module(f"{program}.cli").group
    given = shlex.split(words)
    context = click.Context(command, info_name=f"haidang-{program}")
    while isinstance(command, click.Group) and given and not given[0].startswith("-"):
        name = given.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"{page}: haidang-{program} has no verb {name!r}"
        command, context = found, click.Context(found, info_name=name, parent=context)
    if given and not isinstance(command, click.Group):
        _, rest, _ = command.make_parser(context).parse_args(given)  # names of options and count of words, no values
        rest = [word for word in rest if word != "…"]
        assert not rest, f"{page}: {rest} left over"
