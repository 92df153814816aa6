"""Every command of every page is run, in order, in a copy of the project; studies are shortened.

Those that need a cluster, a GPU or days are marked in the page, and checked by `tests/docs`.
"""

import shlex

import pytest

from tests.docs.pages import ROOT, blocks, commands, pages
from tests.readers.reader import Reader, check_output

pytestmark = pytest.mark.page


def is_run(block):
    return bool(block.file) or (block.language == "console" and block.mark != "only checked")


TYPED = [page for page in pages() if any(is_run(b) and not b.file for b in blocks(page))]


@pytest.mark.parametrize("page", TYPED, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_reader_can_type_what_a_page_says(page, tmp_path):
    reader = Reader(tmp_path)
    for block in filter(is_run, blocks(page)):
        if block.file:
            if not (ROOT / block.file).exists():  # else it is an excerpt
                reader.write(block)
            continue
        for command in commands(block):
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
