"""The tables of a page, by the heading that they stand below."""

import re

from tests.docs.pages import ROOT


def rows(page, heading):
    """The rows below a heading, without those of the headings, each cell as it is written."""
    text = (ROOT / page).read_text(encoding="utf-8")
    section = text if heading is None else re.split(rf"^#+ {heading}$", text, flags=re.M)[1]
    section = re.split(r"^#+ ", section, flags=re.M)[0 if heading else 1]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [re.split(r" *(?<!\\)\| *", line.strip("| ")) for line in lines]


def names(page, heading, column=0):
    """What is written as code in a column, in all its rows."""
    return [name for row in rows(page, heading) for name in re.findall(r"`([^`]+)`", row[column])]
