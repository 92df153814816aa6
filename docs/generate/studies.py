"""The reference of the shipped studies, generated from the comments in their files."""

import re
from collections.abc import Iterator
from pathlib import Path

from docs.generate.markdown import code, prose

HEAD = """# The shipped studies

<!-- Written by `make docs`; do not edit. -->

Each study is a file in `studies/`. The text on this page comes from the comments in these files.
"""
FOLDER = Path(__file__).parents[2] / "studies"
QUICKEST_FIRST = (
    "depth_sweep",
    "learning_rate_sweep",
    "samples_sweep",
    "tuned_depth",
    "gradient_quality",
    "reproduction_details",
    "dna_l1",
    "depth_claim",
    "silhouettes_table",
    "uci_table",
    "mnist_table",
)
LABELS = {"cost": "Cost", "expect": "Result"}


def studies() -> str:
    """The text of the page."""
    names = sorted((path.stem for path in FOLDER.glob("*.yaml")), key=_place)
    return "\n".join([HEAD, *(part for name in names for part in _of_study(name))])


def _place(name: str) -> tuple[int, str]:
    known = name in QUICKEST_FIRST
    return QUICKEST_FIRST.index(name) if known else len(QUICKEST_FIRST), name


def _of_study(name: str) -> Iterator[str]:
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    head = text.partition("\n\n")[0].replace("#", " ")
    about, *rest = re.split(r"^ *(\w+): ", head, flags=re.MULTILINE)
    said = dict(zip(rest[::2], map(prose, rest[1::2]), strict=True))
    yield f"## {code(name)}\n"
    yield from (f"{prose(part)}\n" for part in re.split(r"\n *\n", about) if part.strip())
    yield from (f"- {label}: {said[key]}" for key, label in LABELS.items() if key in said)
    yield f"- Run: {code(f'make study NAME={name}')}\n"
