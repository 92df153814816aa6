"""How near we come to the published figures: one page with figures, from records alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.cells import NO_DATA, summarise
from analysis.comparison import LIKELIHOODS, compare, lay_out_comparison
from analysis.cost_figure import draw_costs
from analysis.costs import costs_of_variations, lay_out_costs
from analysis.curve_figure import draw_curves
from analysis.curves import LearningCurve, learning_curves
from analysis.formats import markdown
from analysis.frames import Records, join, load
from analysis.labels import LOG_P, plain, value_label
from analysis.page import pipe_table, selection_section, summary, title, what_varies
from analysis.remarks import remarks
from analysis.report import replace_file
from analysis.style import render
from analysis.tables import lay_out
from analysis.verdict import verdict
from gmm_study.study import Plan, Study, make_plan
from gmm_study.trials.record import RecordStore

HEAD = """# Reproduction

Our test figures beside the published ones, written by `gmm-study reproduction` from the records of
the studies {studies}. Every figure on this page comes from a record; the published ones come from
`analysis/published.csv`, where a person who has checked one can say so. GMM (here `gmm`) is the
bidirectional Helmholtz machine (BiHM) of the final publication. A trial is chosen by its mean
validation bound and shown with its test figures.
"""


@dataclass(frozen=True)
class Reproduction:
    """What was written: `paths`, and the `sentences` that sum up the comparison."""

    paths: tuple[Path, ...]
    sentences: tuple[str, ...]
    compared: pd.DataFrame


@dataclass(frozen=True)
class _Section:
    """One study's part: its text, its pictures by name, and what was compared."""

    text: str
    pictures: dict[str, bytes]
    compared: pd.DataFrame | None


def plan_from_records(
    study: Study, store: RecordStore, known_sha256: Mapping[str, str | None]
) -> Plan:
    """A study's plan, with the data sets known by their published checksum or by a record's.

    Needs no data; a data set that neither knows has no trials.
    """
    in_records: dict[str, Counter[str]] = {}
    for trial_id in store.trial_ids():
        try:
            config = store.record(trial_id).config()
        except (ValueError, LookupError, TypeError):
            continue
        if config is not None:
            in_records.setdefault(config.dataset, Counter())[config.dataset_sha256] += 1
    checksums = {}
    for dataset in study.datasets:
        if published_one := known_sha256.get(dataset):
            checksums[dataset] = published_one
        elif dataset in in_records:
            checksums[dataset] = in_records[dataset].most_common(1)[0][0]
    return make_plan(study, checksums)


def write_reproduction(
    plans: Sequence[Plan], store: RecordStore, output: Path, commands: Mapping[str, str]
) -> Reproduction:
    """Write the page, and its figures as PNG and SVG into a folder of its name beside it.

    `commands` are the lines that run the studies, by name. A study of variations gets its costs,
    every other one the comparison, the choice of its trials and its learning curves.
    """
    sections = {plan.study.name: _section(plan, store, output.stem) for plan in plans}
    frames = [s.compared for s in sections.values() if s.compared is not None]
    compared = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    sentences = tuple(at_a_glance(compared)) if len(compared) else ()
    parts = [HEAD.format(studies=", ".join(f"`{name}`" for name in sections))]
    glance = "".join(f"- {sentence}\n" for sentence in sentences) or "Nothing yet.\n"
    parts.append(f"## At a glance\n\n{glance}")
    again = "\n".join([*(commands[name] for name in sections), "gmm-study reproduction"])
    parts.append(f"## Commands\n\n```\n{again}\n```\n")
    parts += [section.text for section in sections.values()]
    pictures = {k: v for section in sections.values() for k, v in section.pictures.items()}
    paths = [output, *(output.parent / output.stem / name for name in pictures)]
    contents = ["\n".join(parts).encode(), *pictures.values()]
    for path, content in zip(paths, contents, strict=True):
        replace_file(path, content)
    return Reproduction(tuple(paths), sentences, compared)


def at_a_glance(compared: pd.DataFrame) -> list[str]:
    """How many published figures are reached, which are not, and which could not be compared."""
    published = compared[compared["published"].notna()]
    known = published[published["reached"].notna()]
    reached = known[known["reached"].astype(bool)]
    missed = known[~known["reached"].astype(bool)]
    lacking = published[published["reached"].isna()]
    sentences = [
        f"{len(published)} published figures, {len(known)} compared: ours is at or below "
        f"{len(reached)} of them within one standard error."
    ]
    if len(reached):
        sentences.append(f"At or below: {_listed(reached, with_difference=True)}.")
    if len(missed):
        sentences.append(f"Above: {_listed(missed, with_difference=True)}.")
    for mark, own in lacking.groupby("mark", sort=False):
        sentences.append(f"Not compared ({mark}): {_listed(own)}.")
    provisional = known[known["mark"].str.startswith("provisional")]
    if len(provisional):
        sentences.append(f"Provisional, the search is not complete: {_listed(provisional)}.")
    unchecked = published["note"].str.contains("not checked").sum()
    sentences.append(
        f"{unchecked} of the {len(published)} published figures were not checked against their "
        "publication."
    )
    return sentences


def _listed(rows: pd.DataFrame, with_difference: bool = False) -> str:
    listed = []
    for row in rows.to_dict("records"):
        x = [] if row["x"] is None else [value_label(row["x"])]
        words = " ".join([row["dataset"], row["method"], *x, LIKELIHOODS[row["metric"]]])
        listed.append(f"{words} ({row['difference']:+.2f})" if with_difference else words)
    return ", ".join(listed)


def _section(plan: Plan, store: RecordStore, folder: str) -> _Section:
    name, study = plan.study.name, plan.study
    head = f"## {title(plan)}\n\n{study.question}\n"
    if not plan.trials:
        text = f"{head}\nNo data set of this study is known here: {', '.join(study.datasets)}.\n"
        return _Section(text, {}, None)
    records = load(store, [trial.config.trial_id for trial in plan.trials])
    rows = join(plan, records)
    cells = summarise(plan, rows)
    parts = [head, _what_was_run(plan, rows)]
    pictures: dict[str, bytes] = {}
    compared = None
    if study.variations:
        costs = costs_of_variations(plan, rows, cells)
        parts.append("".join(f"- {sentence}\n" for sentence in verdict(plan, rows, cells)))
        log_p = lay_out(plan, cells[cells["metric"] == LOG_P])
        parts += map(markdown, (*lay_out_costs(plan, costs), *log_p))
        if len(costs):
            pictures |= _picture(f"{name}_costs", draw_costs(costs))
            parts.append(
                f"![What each variation costs]({folder}/{name}_costs.png)\n\n"
                "Cost in nats of test log p, ± one standard error; left of 0 a variation gains.\n"
            )
    else:
        compared = compare(plan, rows)
        parts.append(markdown(lay_out_comparison(plan, compared)))
        parts.append(f"### Chosen by validation\n\n{selection_section(plan, cells)}")
        if curves := learning_curves(plan, store, rows, cells):
            pictures |= _picture(f"{name}_curves", draw_curves(curves, plan.x))
            parts.append(_curves_text(curves, f"{folder}/{name}_curves.png"))
    if found := remarks(plan, rows):
        parts.append("### Remarks\n\n" + "".join(f"- {remark}\n" for remark in found))
    parts.append(f"### Made with\n\n{_provenance(records)}")
    return _Section("\n".join(filter(None, parts)), pictures, compared)


def _what_was_run(plan: Plan, rows: pd.DataFrame) -> str:
    study = plan.study
    text = f"{summary(rows)} Replicates a trial: {study.replicates}."
    if study.fixed:
        fixed = (f"{name} {plain(value)}" for name, value in study.fixed.items())
        text += f" Fixed: {'; '.join(fixed)}."
    for name, axis in study.space.items():
        values = axis.values or getattr(axis, axis.kind)
        listed = "; ".join(str(plain(value)) for value in values)
        text += f" Searched: {name} ({axis.kind} {listed})."
    if study.variations:
        text += f" {what_varies(study)}"
    if plan.without_data:
        text += f" Gaps ({NO_DATA}, no record): {', '.join(plan.without_data)}."
    return text + "\n"


def _picture(name: str, figure: Any) -> dict[str, bytes]:
    return {f"{name}.{kind}": render(figure, kind) for kind in ("png", "svg")}


def _curves_text(curves: Sequence[LearningCurve], picture: str) -> str:
    table: dict[str, list[str]] = {"dataset": [], "method": []}
    along = any(curve.x is not None for curve in curves)
    for curve in curves:
        slope, count = curve.last_slope()
        row = {"dataset": curve.dataset, "method": curve.method}
        row |= {"": value_label(curve.x)} if along else {}
        row |= {
            "state": "complete" if curve.complete else "not complete",
            "replicates": str(curve.replicates),
            "epochs of all": str(len(curve.epochs)),
            "of the longest": str(curve.longest),
            "last bound (nats)": f"{curve.epochs['mean'].iloc[-1]:.2f}",
            "last slope (nats per epoch)": f"{slope:+.4f} over {count}" if slope == slope else "—",
        }
        for heading, text in row.items():
            table.setdefault(heading, []).append(text)
    return (
        f"### Learning curves\n\n![Validation bound per epoch]({picture})\n\n"
        "Validation bound in nats per epoch, mean over replicates ± one standard error, up to the "
        "last epoch that all replicates reached. The last slope says where it is heading: least "
        "squares over the last tenth of these epochs. Bounds of different methods are different "
        f"quantities.\n\n{pipe_table(table)}\n"
    )


def _provenance(records: Records) -> str:
    """Commits, versions, machines and time, as the records have them."""
    trials, seconds = records.trials, records.replicates["seconds"].sum()
    lines = [f"Training time of all replicates together: {seconds / 3600:.2f} hours."]
    facts = {"Commit": "git_commit", "Versions": "versions", "Machine": "machine"}
    for name, column in facts.items():
        found = [str(value) for value in trials[column].dropna().unique()]
        lines.append(f"{name}: {'; '.join(sorted(found)) or 'not recorded'}.")
    return "\n\n".join(lines) + "\n"
