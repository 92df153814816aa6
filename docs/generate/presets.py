"""The reference of the presets, generated from their declarations."""

from collections.abc import Iterator

from docs.generate.markdown import code, prose, table
from gmm_study.training.presets import PRESETS, Preset

HEAD = """# Presets

<!-- Written by `make docs`; do not edit. -->

A preset is a named set of settings. A study uses it with `preset: NAME`, a single trial with
`gmm-study train --preset NAME`. All other settings of the study or of the command override it. A
trial is the same whether its settings come from a preset or are written out.
"""


def presets() -> str:
    """The text of the page."""
    return "\n".join([HEAD, *(part for preset in PRESETS.values() for part in _of_preset(preset))])


def _of_preset(preset: Preset) -> Iterator[str]:
    yield f"## {code(preset.name)}\n"
    yield f"{prose(preset.summary)}\n"
    rows = [
        (code(s.name), code(_plain(s.value)), ", ".join(s.methods) or "all", s.source)
        for s in preset.settings
    ]
    yield table(("setting", "value", "methods", "source"), rows)
    yield "No setting reproduces the following:\n"
    yield "".join(f"- {prose(text)}\n" for text in preset.differences)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
