"""Every command of every page is run, in order, in a copy of the project; studies are shortened.

Those that need a cluster, a GPU or days are marked in the page, and checked by `tests/docs`. With
`--short`, each page runs the first command of each kind.
"""

import shlex

import pytest

from tests.docs.pages import ROOT, blocks, commands, pages
from tests.readers.reader import Reader, check_output

pytestmark = pytest.mark.page


def is_run(block):
    return bool(block.file) or (block.language == "console" and block.mark != "only checked")


TYPED = [page for page in pages() if any(is_run(b) and not b.file for b in blocks(page))]


def kind(command):
    """The program and its subcommand, target or script: `make study` whatever the study is."""
    words = [word for word in shlex.split(command.text, comments=True) if "=" not in word]
    return tuple(words[:2])


@pytest.mark.parametrize("page", TYPED, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_reader_can_type_what_a_page_says(page, tmp_path, request):
    reader, short, kinds = Reader(tmp_path), request.config.getoption("--short"), set()
    for block in filter(is_run, blocks(page)):
        if block.file:
            if not (ROOT / block.file).exists():  # else it is an excerpt
                reader.write(block)
            continue
        for command in commands(block):
            if short and kind(command) in kinds:
                continue
            kinds.add(kind(command))
            if block.mark == "until":
                printed = reader.run_until(command, block.said)
            else:
                printed = reader.run(command)
            check_output(command, printed)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_ray_that_a_page_names_are_rays(page):
    from ray.scripts.scripts import cli as ray

    for block in (block for block in blocks(page) if block.language == "console"):
        for command in commands(block):
            name, *words = shlex.split(command.text.replace("\\\n", " "))
            if name.endswith("ray"):
                parsed(ray, words)


def parsed(group, words):
    name, command, words = group.resolve_command(None, words)
    if hasattr(command, "commands"):
        parsed(command, words)
    else:
        command.make_context(name, words)
