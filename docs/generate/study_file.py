"""The reference of the study file, generated from its schema and from the declared settings."""

import inspect
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from pydantic import BaseModel

from docs.generate.markdown import code, prose, table
from gmm_study.study import axis, schema, sections, strategies
from gmm_study.training.hyperparameters import declared_settings
from gmm_study.training.methods import BUILT_IN, OPTIONAL_SETTINGS

HEAD = """# The study file

<!-- Written by `make docs`; do not edit. -->

A study is a YAML file `studies/NAME.yaml`. An unknown field or an invalid value is reported before
anything runs, in one line that names the file, the field, the value and what is allowed.

```yaml
# studies/depth_sweep.yaml
question: Do gmm, rws and vae gain from depth?
datasets: [digits]
methods: [gmm, rws, vae]
replicates: 3
fixed:
  layers: {first: 48, last: 12}
  learning_rate: 3e-2
  schedule: cosine
  max_epochs: 200
  patience: 200
per_method:
  vae:
    learning_rate: 5e-3
    hold_epochs: 200
    max_epochs: 600
    patience: 600
    vae_initialisation: he
    kl_warm_up_epochs: 200
space:
  layers.depth: {grid: [1, 2, 3, 5]}
```

Every combination of a data set, a method and a value of each grid is a *cell*. In each cell, a
search draws trials from the axes that are not grids. The x-axis of the report is the first grid, or
`report.x`; over all other axes the report selects by log p of the validation data.
"""
SETTINGS = """## Settings

These settings can be used in `fixed`, `per_dataset`, `per_method`, `variations` and `space`, and as
options of `gmm-study train` (with `-` in place of `_`). `config.json` in a record stores them. A
setting that no trial reads, such as `momentum` without `optimizer: sgd`, is an error everywhere but
in `fixed`. `layers.depth`, `layers.first` and `layers.last`
are the parts of the geometric rule for layer sizes. Data sets, methods and the numbers of samples
of the evaluation have their own fields: `datasets`, `methods`, `evaluation.samples`,
`evaluation.selection_samples` and `evaluation.z_samples`.

The later of these overrides the earlier: the defaults, the [preset](presets.md), `fixed`,
`per_dataset`, `per_method`, `variations`, `space`. An axis of `space` must not be set in any of the
others but the preset.
"""
OVERRIDES = """## Changing a study from the command line

In `--set KEY=VALUE`, the key is the name of a setting (`max_epochs=5`), of a part of `layers`
(`layers.depth=3`), or of a field of the file (`replicates=5`, `search.trials=30`,
`space.learning_rate.grid=[1e-3,1e-2]`, `per_method.vae.learning_rate=3e-3`). The value is parsed as
YAML, and a later option overrides an earlier one. Fixing a setting removes its axis from `space`
and its values from `per_dataset` and `per_method`. `--dataset` and `--set dataset=NAME`
replace the data sets; `--set method=NAME` replaces the methods. `--small` applies the section
`small` on top of the file.
"""
SECTIONS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("An axis of `space`", "Exactly one of:", axis.Axis),
    ("`evaluation`", "", sections.Evaluation),
    (
        "`gradients`",
        "A study with this section assesses gradients of the models of its complete trials when "
        "they have been trained. This is no part of a trial's identity, so a change of it trains "
        "nothing again ([what the figures mean](../how-to/gradients.md)).",
        sections.Gradients,
    ),
    ("`resources`", "", sections.Resources),
    ("`report`", "", sections.Report),
)
KINDS: dict[str, tuple[type[BaseModel], ...]] = {
    "search": (
        strategies.GridSearch,
        strategies.RandomSearch,
        strategies.TpeSearch,
        strategies.CmaEsSearch,
    ),
    "scheduler": (
        strategies.NoScheduler,
        strategies.AshaScheduler,
        strategies.MedianScheduler,
    ),
}


def study_file() -> str:
    """The text of the page."""
    parts = [HEAD, "## Fields\n", _fields(schema.StudyFile)]
    for title, lead, model in SECTIONS:
        parts += [f"## {title}\n", lead and f"{lead}\n", _fields(model)]
    for section, models in KINDS.items():
        parts += [
            f"## `{section}`\n",
            f"`{section}: KIND` is short for `{section}: {{kind: KIND}}`.\n",
        ]
        for model in models:
            kind = model.model_json_schema()["properties"]["kind"]["const"]
            parts += [f"### `kind: {kind}`\n", f"{prose(inspect.getdoc(model) or '')}\n"]
            parts.append(_fields(model, without="kind"))
        if section == "search":
            parts += ["### `screen`\n", f"{prose(inspect.getdoc(strategies.Screening) or '')}\n"]
            parts.append(_fields(strategies.Screening))
    parts += [SETTINGS, *_settings(), _stages(), OVERRIDES]
    return "\n".join(filter(None, parts))


def _stages() -> str:
    """Which settings a stage may change."""
    names = [code(spec.name) for spec in declared_settings().values() if spec.metadata["by_stage"]]
    text = f"A stage in `stages` can change {', '.join(names[:-1])} and {names[-1]}."
    return "\n".join(wrap(text, 100, break_on_hyphens=False)) + "\n"


def _fields(model: type[BaseModel], without: str = "") -> str:
    properties = model.model_json_schema()["properties"]
    rows = [
        (code(name), _takes(facts), code(_default(facts)), facts.get("description", ""))
        for name, facts in properties.items()
        if name != without
    ]
    return table(("field", "values", "default", "description"), rows) if rows else ""


def _default(facts: Mapping[str, Any]) -> str:
    default = facts.get("default")
    if isinstance(default, dict):
        return str(default.get("kind", ""))
    return _plain(default)


def _takes(facts: Mapping[str, Any]) -> str:
    """The values that a JSON schema accepts, in words."""
    if "anyOf" in facts:
        return " or ".join(_takes(each) for each in facts["anyOf"] if each.get("type") != "null")
    if "const" in facts:
        return code(facts["const"])
    if facts.get("maxItems") == 2:
        return "[low, high]"
    words = {"array": "list", "object": "mapping", "string": "text"}
    kind = words.get(facts.get("type", "object"), facts.get("type", ""))
    limits = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    said = [f"{sign} {facts[name]:g}" for name, sign in limits.items() if name in facts]
    return " ".join([kind, ", ".join(said)]).strip()


def _settings() -> Iterator[str]:
    groups: dict[str, list[tuple[str, str, str, str, str]]] = {}
    for spec in declared_settings().values():
        if spec.name in ("method", "evaluation_samples"):
            continue
        facts = spec.metadata
        default: Any = spec.default
        if isinstance(default, tuple):
            default = ",".join(map(str, default))
        kind = list if spec.name == "stages" else spec.type
        takes, read_by = _range(kind, facts), _read_by(spec.name, facts)
        row = code(spec.name), takes, code(_plain(default)), read_by, facts["help"]
        groups.setdefault(facts["group"], []).append(row)
    for group, rows in groups.items():
        yield f"### {group}\n"
        yield table(("setting", "values", "default", "used by", "description"), rows)


def _read_by(name: str, facts: Mapping[str, Any]) -> str:
    """The methods that use a setting, unless all do, and the values of others that it requires."""
    reads = {
        method: name not in OPTIONAL_SETTINGS or name in declaration.settings
        for method, declaration in BUILT_IN.items()
    }
    reading = [method for method in reads if reads[method]]
    ignoring = [method for method in reads if not reads[method]]
    others = {key: value for key, value in facts["read_by"].items() if key != "method"}
    few = len(reading) <= len(ignoring)
    some = ", ".join(reading) if few else f"all but {', '.join(ignoring)}"
    methods = [some] if ignoring else []
    return "; ".join([*methods, *(f"{key} {', '.join(value)}" for key, value in others.items())])


def _plain(default: object) -> str:
    return "" if default is None else str(default)


def _range(kind: Any, facts: Mapping[str, Any]) -> str:
    if facts["choices"]:
        return ", ".join(map(code, facts["choices"]))
    names = {
        list: "list of mappings",
        int: "integer",
        int | None: "integer",
        float: "number",
        float | None: "number",
        str | None: "text",
    }
    limits = {"at_least": ">=", "above": ">", "below": "<"}
    said = [f"{sign} {facts[name]:g}" for name, sign in limits.items() if facts[name] is not None]
    return " ".join([names.get(kind, "sizes"), ", ".join(said)]).strip()
