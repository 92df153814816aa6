"""How close our figures are to the published ones: one page with figures, from records alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.causes import causes_of
from analysis.cells import NO_DATA
from analysis.curves import LearningCurve, learning_curves
from analysis.figures.curves import draw_curves, what_is_shown
from analysis.figures.style import render
from analysis.files import replace_file
from analysis.findings import Findings, find
from analysis.gallery import result_of
from analysis.labels import LOG_P, axis_label, decimals, error_label, value_label
from analysis.pages.choices import choices, how_chosen
from analysis.pages.protocol import protocol, provenance, title
from analysis.pages.remarks import remarks
from analysis.pages.rendering import render_page
from analysis.selection import PROVISIONAL
from analysis.tables.comparison import LIKELIHOODS, lay_out_comparison, lay_out_other_models
from analysis.tables.costs import lay_out_costs
from analysis.tables.formats import markdown, pipe_table
from analysis.tables.layout import lay_out
from gmm_study.study.plan import Plan
from gmm_study.training.state import TrialState
from gmm_study.trials.record_store import RecordStore

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Reproduction:
    """What was written: `paths`, and the `sentences` that sum up the comparison."""

    paths: tuple[Path, ...]
    sentences: tuple[str, ...]
    compared: pd.DataFrame


class _Pictures:
    """The figures of the page, to be written as PNG and SVG into a folder beside it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.contents: dict[str, bytes] = {}

    def add(self, name: str, figure: "Figure") -> str:
        """Take up a figure; gives its address within the page."""
        for kind in ("png", "svg"):
            self.contents[f"{self.folder}/{name}.{kind}"] = render(figure, kind)
        return f"{self.folder}/{name}.png"


def write_reproduction(plans: Sequence[Plan], store: RecordStore, output: Path) -> Reproduction:
    """Write the page, and its figures as PNG and SVG into a folder of its name beside it.

    A study with published figures gets the comparison, the choice of its trials and its learning
    curves. Every other study, as one of variations, gets its sentences, tables and result.
    """
    pictures, sections, frames = _Pictures(output.stem), [], []
    for plan in plans:
        found = find(plan, store) if plan.trials else None
        sections.append(_section(plan, found, pictures))
        if found and _is_compared(found):
            frames.append(found.compared)
    compared = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    sentences = tuple(at_a_glance(compared)) if frames else ()
    others = lay_out_other_models(dict.fromkeys(compared["dataset"]) if frames else ())
    content = {
        "sentences": sentences,
        "sections": sections,
        "other_models": markdown(others) if others.rows else "",
    }
    contents = {output: render_page("reproduction.md", content)}
    contents |= {output.parent / name: picture for name, picture in pictures.contents.items()}
    for path, content_of_file in contents.items():
        replace_file(path, content_of_file)
    return Reproduction(tuple(contents), sentences, compared)


def at_a_glance(compared: pd.DataFrame) -> list[str]:
    """How many published figures are reached, which are not, and for how many ours is missing."""
    listed = compared[compared["published"].notna()]
    known = listed[listed["reached"].notna()]
    reached = known[known["reached"].astype(bool)]
    missed = known[~known["reached"].astype(bool)]
    lacking = listed[listed["reached"].isna()]
    counted = f"{len(known)} compared"
    if provisional := int(known["mark"].str.startswith(PROVISIONAL).sum()):
        counted += f" ({provisional} of them provisional, as the search is not complete)"
    within = " within one standard error over replicates" if (known["n"] > 1).any() else ""
    counted += f": ours is at or below {len(reached)}{within}"
    sentences = [f"{len(listed)} published figures, {counted if len(known) else 'none compared'}."]
    if single := int((known["n"] == 1).sum()):
        sentences.append(f"Compared without a standard error, as there is one replicate: {single}.")
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
    unfinished = TrialState.PENDING in mark or TrialState.RUNNING in mark
    return "no complete trial yet" if unfinished else "diverged or failed"


def _listed(rows: pd.DataFrame) -> str:
    listed = []
    for row in rows.to_dict("records"):
        x = [] if row["x"] is None else [value_label(row["x"])]
        words = " ".join([row["dataset"], row["method"], *x, LIKELIHOODS[row["metric"]]])
        provisional = ", provisional" if row["mark"].startswith(PROVISIONAL) else ""
        listed.append(f"{words} ({row['difference']:+.2f}{provisional})")
    return ", ".join(listed)


def _section(plan: Plan, found: Findings | None, pictures: _Pictures) -> dict[str, Any]:
    """What the template shows of a study; without trials, why there are none."""
    study = plan.study
    section: dict[str, Any] = {"name": study.name, "title": title(plan), "question": study.question}
    if found is None:
        return section | {"unknown_data": ", ".join(study.datasets)}
    section |= {
        "unknown_data": "",
        "protocol": protocol(found),
        "remarks": remarks(found),
        "conditions": found.conditions,
        "causes": causes_of(study.name),
        "provenance": provenance(found.records),
    }
    section |= {"sentences": (), "result": None, "choice": None, "curves": None}
    section |= _comparison(found) if _is_compared(found) else _answer(found, pictures)
    return section if study.variations else section | _how_it_came_about(found, pictures)


def _is_compared(found: Findings) -> bool:
    """Whether there is a published figure for a cell of the study."""
    return not found.plan.study.variations and bool(found.compared["published"].notna().any())


def _answer(found: Findings, pictures: _Pictures) -> dict[str, Any]:
    """Of a study that answers a question of its own: its sentences, tables and result."""
    plan = found.plan
    log_p = lay_out(plan, found.cells[found.cells["metric"] == LOG_P])
    tables = (*lay_out_costs(plan, found.costs), *log_p)
    parts: dict[str, Any] = {
        "sentences": found.sentences,
        "tables": [markdown(own.with_sentence(found.budget_sentence)) for own in tables],
    }
    if picture := result_of(found):
        address = pictures.add(f"{plan.study.name}_result", picture.draw())
        parts["result"] = {"title": picture.title, "picture": address, "caption": picture.caption}
    return parts


def _comparison(found: Findings) -> dict[str, Any]:
    compared = lay_out_comparison(found.plan, found.compared)
    return {"tables": [markdown(compared.with_sentence(found.budget_sentence))]}


def _how_it_came_about(found: Findings, pictures: _Pictures) -> dict[str, Any]:
    """The choice of the trials, and their learning curves."""
    plan, parts = found.plan, dict[str, Any]()
    if (complete := found.cells[found.cells["complete"]]).size:
        columns = choices(plan, complete)
        table = pipe_table(list(columns), list(zip(*columns.values(), strict=True)))
        parts["choice"] = {"how": how_chosen(plan, complete), "table": table}
    if curves := learning_curves(plan, found.records, found.rows, found.cells):
        shown = what_is_shown(curves)
        rows = [_curve(plan, curve, shown) for curve in curves]
        parts["curves"] = {
            "picture": pictures.add(f"{plan.study.name}_curves", draw_curves(curves, plan.x)),
            "shown": shown,
            "left_out": _left_out(plan, curves),
            "table": pipe_table(list(rows[0]), [list(row.values()) for row in rows]),
        }
    return parts


def _curve(plan: Plan, curve: LearningCurve, shown: str) -> dict[str, str]:
    """A row of the table of learning curves, by its headings."""
    slope = curve.last_slope()
    no_slope = "stopped early" if curve.stopped else "—"
    places = decimals([curve.best_error])
    return {
        "dataset": curve.dataset,
        "method": curve.method,
        **({axis_label(plan.x): value_label(curve.x)} if plan.x else {}),
        "state": "complete" if curve.complete else "not complete",
        "replicates": str(curve.replicates),
        "stopped early": str(curve.stopped),
        "mean curve ends at epoch": str(curve.shown),
        "longest replicate ends at": str(curve.longest),
        f"{shown} there (nats)": f"{curve.epochs['mean'].iloc[-1]:.{places}f}",
        f"{shown} of the best epoch (nats)": f"{curve.best:.{places}f} ± "
        + error_label(curve.best_error, places),
        "last slope (nats per epoch)": f"{slope:+.4f}" if slope == slope else no_slope,
    }


def _left_out(plan: Plan, curves: Sequence[LearningCurve]) -> str:
    listed = []
    for curve in (curve for curve in curves if curve.left_out):
        words = [curve.dataset, curve.method, *([value_label(curve.x)] if plan.x else [])]
        listed.append(f"{' '.join(words)} ({curve.left_out})")
    return ", ".join(listed)
