"""What the pages say is there: commands, files, links, and the pages that the code writes."""

import re
from ast import PyCF_ONLY_AST
from textwrap import dedent

import pytest

from docs.generate import PAGES
from tests.docs.checking import CommandError, check, check_gmm_study, check_make
from tests.docs.pages import ROOT, blocks, commands, pages, spans

LANGUAGES = {"console", "yaml", "python", "text", "json", "latex", "csv", "math", "toml"}
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
EACH_PAGE = pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))


@pytest.mark.process
@EACH_PAGE
def test_every_command_of_a_page_is_one_that_could_run(page):
    written = set()
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{block.place}: say what the block is"
        if block.file:
            written.add(block.file)
        for command in commands(block) if block.language == "console" else ():
            try:
                check(command.text, frozenset(written))
            except CommandError as wrong:
                pytest.fail(f"{block.place}: {command.text}: {wrong}")


@pytest.mark.process
@EACH_PAGE
def test_every_command_named_in_the_prose_of_a_page_is_there(page):
    for line, code in spans(page):
        name, _, rest = code.partition(" ")
        words = re.sub(r"[.,;]$| [>|] .*", "", rest).split()
        try:
            if name.endswith("gmm-study"):
                check_gmm_study(words)
            elif name == "make" and words:
                check_make([*words, "NAME=depth_sweep"])
            elif code.startswith("python -m "):
                check(code)
        except CommandError as wrong:  # a command may be named without what it needs
            if "Missing parameter" not in str(wrong):
                pytest.fail(f"{page.name}:{line}: {code}: {wrong}")


@pytest.mark.process
def test_a_command_that_could_not_run_is_told():
    for wrong in (
        "gmm-study rnu depth_sweep",
        "gmm-study run depht_sweep",
        "gmm-study run depth_sweep --sett max_epochs=5",
        "gmm-study run depth_sweep --set max_epoch=5",
        "gmm-study train --layers 0",
        "gmm-study train --method vae --l1 1e-3",
        "make stdy NAME=depth_sweep",
        "make study",
        "make study NAME=depth_sweep DATSET=bars",
        "make study NAME=depth_sweep ARGS='--set learning_rat=1'",
        "sbatch --nodes=4 cluster/slrm.sh depth_sweep",
        "ray job submit --address http://127.0.0.1:8265 -- gmm-study run depth_sweeep",
        "python -m benhc",
        "python -m pytest tests/stdy",
        "python not_written.py",
        "gmmstudy run depth_sweep",
    ):
        with pytest.raises(CommandError):
            check(wrong)


@EACH_PAGE
def test_every_python_block_of_a_page_is_python(page):
    for block in blocks(page):
        if block.language == "python":
            text = block.text.partition("\n")[2] if block.file else block.text
            compile(dedent(text), block.place, "exec", flags=PyCF_ONLY_AST)


@EACH_PAGE
def test_an_excerpt_of_a_file_is_in_that_file(page):
    for block in blocks(page):
        if block.file and (ROOT / block.file).exists():
            lines = iter((ROOT / block.file).read_text().splitlines())
            for line in block.text.splitlines()[1:]:
                assert line in lines, f"{block.place}: {block.file} has no line {line!r} there"


@EACH_PAGE
def test_every_link_of_a_page_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for link in ("".join(found) for found in LINK.findall(text)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), f"{page.name}: no {link}"
        if anchor:
            assert anchor in _anchors(target.read_text(encoding="utf-8")), f"{page.name}: {link}"


def _anchors(text):
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@EACH_PAGE
def test_commands_stand_in_console_blocks_alone(page):
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        assert not re.match(r"(    |\t)(make|gmm-study|\.venv/\S+|python|ray|sbatch) ", line), (
            number
        )


@EACH_PAGE
def test_lines_of_prose_have_at_most_100_characters(page):
    if str(page.relative_to(ROOT)) in {*PAGES, "docs/design.md"} or "examples" in page.parts:
        return
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        assert len(line) <= 100 or line.startswith(("|", "![", "$ ")), f"{page.name}:{number}"


@pytest.mark.process  # which importing MLflow starts
@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_says_what_the_code_says_now(name):
    assert (ROOT / name).read_text(encoding="utf-8") == PAGES[name](), "run make docs"


def test_every_page_of_docs_is_reached_from_the_index():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("**/*.md"):
        place = page.relative_to(ROOT / "docs").as_posix()
        assert place == "README.md" or f"]({place})" in index, place
