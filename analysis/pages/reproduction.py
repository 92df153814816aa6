"""How near we come to the published figures: one page with figures, from records alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.cells import NO_DATA, summarise
from analysis.costs import costs_of_variations
from analysis.curves import LearningCurve, learning_curves
from analysis.figures.costs import can_draw_costs, draw_costs, what_intervals_are
from analysis.figures.curves import draw_curves
from analysis.figures.style import render
from analysis.files import replace_file
from analysis.frames import Records, load
from analysis.labels import LOG_P, axis_label, decimals, error_label, value_label
from analysis.pages.facts import provenance, title
from analysis.pages.protocol import what_was_run
from analysis.pages.remarks import remarks
from analysis.pages.study import pipe_table, selection_section
from analysis.planned import join
from analysis.selection import PROVISIONAL
from analysis.tables.comparison import (
    LIKELIHOODS,
    compare,
    lay_out_comparison,
    lay_out_other_models,
)
from analysis.tables.costs import lay_out_costs
from analysis.tables.formats import markdown
from analysis.tables.layout import lay_out
from analysis.verdict import verdict
from gmm_study.study import Plan
from gmm_study.trials.record import RecordStore

HEAD = """# Reproduction

Our test figures beside the published ones, written by `gmm-study reproduction` from records of the
studies below. Ours come from those records alone; the published ones come from
`analysis/published.csv`, where a person who has checked one can say so. GMM (here `gmm`) is the
bidirectional Helmholtz machine (BiHM) of the final publication.
"""
DATA = """`GMM_STUDY_DATA` names a folder of data that is searched first; what is not there is
downloaded. What has a record already is not trained again.
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


def write_reproduction(plans: Sequence[Plan], store: RecordStore, output: Path) -> Reproduction:
    """Write the page, and its figures as PNG and SVG into a folder of its name beside it.

    A study of variations gets its costs, every other one the comparison, the choice of its trials
    and its learning curves.
    """
    sections = {plan.study.name: _section(plan, store, output.stem) for plan in plans}
    frames = [s.compared for s in sections.values() if s.compared is not None]
    compared = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    sentences = tuple(at_a_glance(compared)) if len(compared) else ()
    parts = [HEAD]
    glance = "".join(f"- {sentence}\n" for sentence in sentences) or "Nothing yet.\n"
    parts.append(f"## At a glance\n\n{glance}")
    again = "\n".join([*(f"make study NAME={name}" for name in sections), "make reproduction"])
    parts.append(f"## Commands\n\n```\n{again}\n```\n\n{DATA}")
    parts += [section.text for section in sections.values()]
    parts.append(_other_models(compared))
    pictures = {k: v for section in sections.values() for k, v in section.pictures.items()}
    paths = [output, *(output.parent / output.stem / name for name in pictures)]
    contents = ["\n".join(filter(None, parts)).encode(), *pictures.values()]
    for path, content in zip(paths, contents, strict=True):
        replace_file(path, content)
    return Reproduction(tuple(paths), sentences, compared)


def at_a_glance(compared: pd.DataFrame) -> list[str]:
    """How many published figures are reached, which are not, and for how many ours is missing."""
    listed = compared[compared["published"].notna()]
    known = listed[listed["reached"].notna()]
    reached = known[known["reached"].astype(bool)]
    missed = known[~known["reached"].astype(bool)]
    lacking = listed[listed["reached"].isna()]
    provisional = known["mark"].str.startswith(PROVISIONAL).sum()
    counted = f"{len(known)} compared"
    if provisional:
        counted += f" ({provisional} of them provisional, as the search is not complete)"
    within = " within one standard error over replicates" if (known["n"] > 1).any() else ""
    counted += f": ours is at or below {len(reached)}{within}"
    sentences = [f"{len(listed)} published figures, {counted if len(known) else 'none compared'}."]
    if single := int((known["n"] == 1).sum()):
        sentences.append(f"Judged by the plain figures, as there is one replicate: {single}.")
    if len(reached):
        sentences.append(f"At or below (ours - published, nats): {_listed(reached)}.")
    if len(missed):
        sentences.append(f"Above (ours - published, nats): {_listed(missed)}.")
    for why, own in lacking.groupby(lacking["mark"].map(_why_missing), sort=False):
        datasets = (f"{dataset} {n}" for dataset, n in Counter(own["dataset"]).items())
        sentences.append(f"Ours missing for {len(own)}, {why}: {', '.join(datasets)}.")
    unchecked = listed["note"].str.contains("not checked").sum()
    sentences.append(
        f"{unchecked} of the {len(listed)} published figures were not checked against their "
        "publication."
    )
    return sentences


def _why_missing(mark: str) -> str:
    if mark == NO_DATA:
        return "no data"
    if "not finite" in mark:
        return "not finite"
    unfinished = "pending" in mark or "running" in mark
    return "no complete trial yet" if unfinished else "diverged or failed"


def _listed(rows: pd.DataFrame) -> str:
    listed = []
    for row in rows.to_dict("records"):
        x = [] if row["x"] is None else [value_label(row["x"])]
        words = " ".join([row["dataset"], row["method"], *x, LIKELIHOODS[row["metric"]]])
        provisional = ", provisional" if row["mark"].startswith(PROVISIONAL) else ""
        listed.append(f"{words} ({row['difference']:+.2f}{provisional})")
    return ", ".join(listed)


def _section(plan: Plan, store: RecordStore, folder: str) -> _Section:
    name, study = plan.study.name, plan.study
    head = f"## {title(plan)}\n\n{study.question}\n"
    if not plan.trials:
        text = f"{head}\nNo data set of this study is known here: {', '.join(study.datasets)}.\n"
        return _Section(text, {}, None)
    records = load(store, trial_ids=[trial.config.trial_id for trial in plan.trials])
    rows = join(plan, records)
    cells = summarise(plan, rows)
    parts = [head, f"### What was run\n\n{what_was_run(plan, rows)}", "### Results\n"]
    pictures: dict[str, bytes] = {}
    compared = None
    if study.variations:
        costs = costs_of_variations(plan, rows, cells)
        parts.append("".join(f"- {sentence}\n" for sentence in verdict(plan, rows, cells)))
        log_p = lay_out(plan, cells[cells["metric"] == LOG_P])
        parts += map(markdown, (*lay_out_costs(plan, costs), *log_p))
        if can_draw_costs(costs):
            pictures |= _picture(f"{name}_costs", draw_costs(costs))
            parts.append(
                f"![What each variation costs]({folder}/{name}_costs.png)\n\n"
                "Cost in nats of test log p; left of 0 a variation gains."
                f"{what_intervals_are(plan)}\n"
            )
    else:
        compared = compare(plan, rows)
        parts.append(markdown(lay_out_comparison(plan, compared)))
        if (complete := cells[cells["complete"]]).size:
            parts.append(f"### Trials behind the figures\n\n{selection_section(plan, complete)}")
        if curves := learning_curves(plan, records, rows, cells):
            pictures |= _picture(f"{name}_curves", draw_curves(curves, plan.x))
            parts.append(_curves_text(plan, curves, f"{folder}/{name}_curves.png"))
    if found := remarks(plan, rows):
        parts.append("### Remarks\n\n" + "".join(f"- {remark}\n" for remark in found))
    parts.append(f"### Made with\n\n{_provenance(records)}")
    return _Section("\n".join(filter(None, parts)), pictures, compared)


def _picture(name: str, figure: Any) -> dict[str, bytes]:
    return {f"{name}.{kind}": render(figure, kind) for kind in ("png", "svg")}


def _curves_text(plan: Plan, curves: Sequence[LearningCurve], picture: str) -> str:
    table: dict[str, list[str]] = {"dataset": [], "method": []}
    for curve in curves:
        slope, count = curve.last_slope()
        row = {"dataset": curve.dataset, "method": curve.method}
        row |= {axis_label(plan.x): value_label(curve.x)} if plan.x else {}
        places = decimals([curve.best_error])
        last = f"{slope:+.4f} over {count}" if slope == slope else "—"
        row |= {
            "state": "complete" if curve.complete else "not complete",
            "replicates": str(curve.replicates),
            "stopped early": str(curve.stopped),
            "mean curve ends at epoch": str(curve.shown),
            "longest replicate ends at": str(curve.longest),
            "bound there (nats)": f"{curve.epochs['mean'].iloc[-1]:.{places}f}",
            "bound of the best epoch (nats)": f"{curve.best:.{places}f} ± "
            + error_label(curve.best_error, places),
            "last slope (nats per epoch)": "stopped early" if curve.stopped else last,
        }
        for heading, text in row.items():
            table.setdefault(heading, []).append(text)
    return (
        f"### Learning curves\n\n![Validation bound per epoch]({picture})\n\n"
        "Validation bound in nats per epoch, mean over replicates ± one standard error. The mean "
        "curve ends where the first replicate ended. The best epoch is that of each replicate, the "
        "one whose model is tested: mean over replicates ± standard error. The last slope, by "
        "least squares over the last tenth of the epochs, says where a trial was heading that "
        "ended with its epochs or still runs; one that stopped early had ceased to improve. Each "
        "panel says which first epochs lie below it. Bounds of different methods are different "
        f"quantities.{_left_out(plan, curves)}\n\n{pipe_table(table)}\n"
    )


def _left_out(plan: Plan, curves: Sequence[LearningCurve]) -> str:
    listed = []
    for curve in (curve for curve in curves if curve.left_out):
        words = [curve.dataset, curve.method, *([value_label(curve.x)] if plan.x else [])]
        listed.append(f"{' '.join(words)} ({curve.left_out})")
    what = "Replicates left out, which diverged or have a bound that is not finite"
    return f" {what}: {', '.join(listed)}." if listed else ""


def _other_models(compared: pd.DataFrame) -> str:
    table = lay_out_other_models(dict.fromkeys(compared["dataset"]) if len(compared) else ())
    return f"## Other models\n\n{markdown(table)}" if table.rows else ""


def _provenance(records: Records) -> str:
    told = {name: text for name, text in provenance(records).items() if text}
    if not told.get("training time"):
        return "No replicate has ended yet.\n"
    return "".join(f"- {name}: {text}\n" for name, text in told.items())
