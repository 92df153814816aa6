"""The pages that people read, and what of them is a command, an output or a file.

A block ```console has commands, each behind `$ `, and below each what it prints. Other blocks
(yaml, python, ...) whose first line is a comment that names a file are that file: an excerpt of
one of the project's, or one that the reader writes. Above a block may stand

    <!-- only checked: a cluster -->    its commands need more than a test has: they are not run
    <!-- until: MLflow UI -->           its command runs until it has printed this
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^ *```(\w*)$")
MARK = re.compile(r"^<!-- (only checked|until): (.+) -->$")
NAMED_FILE = re.compile(r"^# ([\w./-]+\.\w+)$")


@dataclass(frozen=True)
class Block:
    """A fenced block, and the mark above it."""

    page: Path
    line: int
    language: str
    text: str
    mark: str
    said: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str | None:
        """The path of the file that the block is, if it is one."""
        found = NAMED_FILE.match(self.text.partition("\n")[0])
        return found.group(1) if found and self.language != "console" else None


@dataclass(frozen=True)
class Command:
    """A command, and what the page says it prints."""

    block: Block
    text: str
    output: tuple[str, ...]


def pages() -> list[Path]:
    """Every page but the one that `make reproduction` writes."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
    return sorted(page for page in found if page.name != "reproduction.md")


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found, lines = [], page.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        fence = FENCE.match(lines[number])
        if not fence:
            number += 1
            continue
        end = next(n for n in range(number + 1, len(lines)) if lines[n].strip() == "```")
        mark = MARK.match(_above(lines, number))
        text = "\n".join(lines[number + 1 : end])
        said = mark.groups() if mark else ("", "")
        found.append(Block(page, number + 1, fence.group(1), text, *said))
        number = end + 1
    return found


def _above(lines: list[str], number: int) -> str:
    before = [line for line in lines[max(0, number - 2) : number] if line.strip()]
    return before[-1] if before else ""


def commands(block: Block) -> Iterator[Command]:
    """The commands of a console block."""
    text, output = "", []
    for line in block.text.splitlines():
        if text.endswith("\\"):
            text += "\n" + line
        elif line.startswith("$ "):
            if text:
                yield Command(block, text, tuple(output))
            text, output = line[2:], []
        elif line.strip():
            output.append(line)
    yield Command(block, text, tuple(output))


def spans(page: Path) -> list[tuple[int, str]]:
    """Code within the prose of a page, with its line; a span may go over the end of a line."""
    text = page.read_text(encoding="utf-8")
    fenced = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
    prose = fenced.sub(lambda found: re.sub(r"[^\n]", "", found.group()), text)
    found = re.finditer(r"(?<!`)`([^`]+)`(?!`)", prose)
    return [(prose[: m.start()].count("\n") + 1, " ".join(m.group(1).split())) for m in found]
