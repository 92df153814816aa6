"""What was run of a study, in facts and words that every page of it shares."""

from collections import Counter
from collections.abc import Mapping
from math import isfinite
from typing import Any, NamedTuple

import pandas as pd

from analysis.findings import Findings
from analysis.frames import Records
from analysis.labels import axis_label, is_number, plain, value_label
from analysis.planned import STATES
from analysis.statistics import errors_to_tell
from gmm_study.study.plan import Plan
from gmm_study.study.schema import VARIATION, Study
from gmm_study.study.strategies import DrawnSearch, Scheduler
from gmm_study.training.hyperparameters import CHANGES_THE_BOUND

MOST_LISTED = 8
_OF_CHOSEN = (
    " The trial of a cell is the best of those that were tried there, so a difference may come "
    "from what the search happened to try: the error is over seeds, and leaves that out."
)


class Failure(NamedTuple):
    """A trial that failed, or of which a replicate diverged."""

    label: str
    trial_id: str
    state: str
    reason: str


def facts(found: Findings) -> dict[str, str]:
    """What was trained, how it was searched, when, with what, on what; a short name for each."""
    study, scheduler = found.plan.study, found.plan.study.scheduler
    known = {
        "trials": summary(found.rows),
        "methods": ", ".join(study.methods),
        "data sets": ", ".join(study.datasets),
        **_axes(found.plan),
        "fixed": _listed_settings(study.fixed),
        "at their defaults": defaults(found.plan) if found.plan.trials else "",
        "replicates a trial": str(study.replicates),
        "search": _search(study),
        "scheduler": how_stopped(scheduler) if isinstance(scheduler, Scheduler) else "",
        "still to come": unproposed(found.plan),
        "variations": what_varies(study) if study.variations else "",
        "no data": ", ".join(found.plan.without_data),
        **provenance(found.records),
    }
    return {name: text for name, text in known.items() if text}


def defaults(plan: Plan) -> str:
    """The settings that the study leaves alone, by who reads them; of variations, the first's."""
    study = plan.study
    first = next(iter(study.variations), None)
    told = {name.partition(".")[0] for name in (*study.fixed, *study.space)}
    told |= {"method", "evaluation_samples", *study.variations.get(first or "", {})}
    readers: dict[tuple[str, Any], dict[str, None]] = {}
    for settings in (
        t.config.hyperparameters for t in plan.trials if t.axes.get(VARIATION) == first
    ):
        for name, value in settings.canonical().items():
            if name not in told:
                readers.setdefault((name, plain(value)), {})[settings.method] = None
    by_readers: dict[tuple[str, ...], dict[str, Any]] = {}
    for (name, value), methods in readers.items():
        by_readers.setdefault(tuple(methods), {})[name] = value
    return "; ".join(
        ("" if len(methods) == len(study.methods) else f"for {' and '.join(methods)}: ")
        + _listed_settings(settings)
        for methods, settings in sorted(by_readers.items(), key=lambda item: -len(item[0]))
    )


def _listed_settings(settings: Mapping[str, Any]) -> str:
    return "; ".join(f"{name} {plain(value)}" for name, value in settings.items())


def provenance(records: Records) -> dict[str, str]:
    """Training time, dates, machines, versions and commits, as the records have them."""
    trials, seconds = records.trials, float(records.replicates["seconds"].sum())
    told = {"training time": f"{duration(seconds)}, all replicates together" if seconds else ""}
    ended = trials["finished"].dropna()
    if len(ended):
        days = dict.fromkeys(f"{day:%Y-%m-%d}" for day in (ended.min(), ended.max()))
        told["finished"] = " to ".join(days)
    columns = {"machine": "machine", "versions": "versions", "commit": "git_commit"}
    for name, column in columns.items():
        distinct = sorted(str(value) for value in trials[column].dropna().unique())
        told[name] = "; ".join(text[:10] if name == "commit" else text for text in distinct)
    return told


def failures(found: Findings) -> list[Failure]:
    """The trials that failed or diverged, in the plan's order, and why."""
    labels = {trial.config.trial_id: trial.label for trial in found.plan.trials}
    rows = found.rows.drop_duplicates(["trial_id", "replicate"])
    diverged = rows[rows["replicate_state"] == "diverged"].groupby("trial_id", sort=False).size()
    failed = rows[rows["state"] == "failed"].drop_duplicates("trial_id")
    reasons = dict(zip(failed["trial_id"], failed["reason"], strict=True))
    listed = [
        Failure(label, trial_id, "failed", reasons[trial_id])
        for trial_id, label in labels.items()
        if trial_id in reasons
    ]
    n = found.plan.study.replicates
    return listed + [
        Failure(labels[str(trial_id)], str(trial_id), "diverged", f"{count} of {n} replicates")
        for trial_id, count in diverged.items()
        if trial_id not in reasons
    ]


def duration(seconds: float) -> str:
    """`2.50 hours`, or `40 seconds` of less than a hundredth of one."""
    return f"{seconds / 3600:.2f} hours" if seconds >= 36 else f"{seconds:.0f} seconds"


def how_chosen(plan: Plan) -> str:
    """How the trials behind the cells were chosen, and what the choice leans to."""
    others = _others(plan)
    text = (
        "Of the trials of a cell the one with the highest mean validation bound over its "
        "replicates stands for it; test figures play no part in the choice."
        if others
        else "Every cell has one trial, so none was chosen over another."
    )
    if swept := [words for name, words in CHANGES_THE_BOUND.items() if name in others]:
        text += (
            f" Trials of a cell may differ in {' and '.join(swept)}, so the choice leans to the "
            "tighter bound."
        )
    return text


def choices(plan: Plan, cells: pd.DataFrame) -> dict[str, list[str]]:
    """The trial behind every cell, as columns by their headings."""
    cells = cells.drop_duplicates(["dataset", "method", "x"])
    table = {
        "dataset": cells["dataset"].tolist(),
        "method": cells["method"].tolist(),
        axis_label(plan.x or ""): cells["x"].map(value_label).tolist(),
        "chosen settings": cells["settings"].tolist(),
        "validation bound (nats)": cells["validation_bound"].map(_nats).tolist(),
        "candidates": [
            f"{cell['candidates']} of {cell['trials']}" if cell["trials"] else str(cell["mark"])
            for cell in cells.to_dict("records")
        ],
        "trial": cells["trial_id"].fillna("—").tolist(),
    }
    if not _others(plan):
        del table["chosen settings"]
    table.pop("", None)
    return {heading: [str(cell) for cell in column] for heading, column in table.items()}


def _others(plan: Plan) -> set[str]:
    """The axes over which a cell's trial is chosen."""
    return {axis for trial in plan.trials for axis in trial.axes} - {plan.x or ""}


def _axes(plan: Plan) -> dict[str, str]:
    axes: dict[str, list[Any]] = {}
    for trial in plan.places:
        for axis, value in trial.axes.items():
            if axis != VARIATION:
                axes.setdefault(axis, []).append(plain(value))
    return {axis_label(axis): _listed(list(dict.fromkeys(own))) for axis, own in axes.items()}


def _search(study: Study) -> str:
    search = study.search
    if not isinstance(search, DrawnSearch):
        return ""
    return f"{search.kind}, {search.trials} trials in every cell of the grid, seed {search.seed}"


def how_compared(plan: Plan) -> str:
    """What a difference between two cells is, and what the test of it can tell."""
    n = plan.study.replicates
    text = "A difference is the mean over replicates of the difference within a replicate"
    if len({trial.config.hyperparameters.seed for trial in plan.trials}) > 1:
        text += ", or of the means where the trials have other seeds (then by Welch's test)"
    if n == 1:
        return f"{text}; there is one replicate, so no test."
    return (
        f"{text}, ± its standard error (n - 1). It is told from 0 by a two-sided paired t-test at "
        f"the 5% level, not adjusted for the number of comparisons; with n = {n} that takes "
        f"{errors_to_tell(n):.1f} standard errors, so what is not told from 0 may well be there."
    ) + (_OF_CHOSEN if _others(plan) else "")


def _listed(values: list[Any]) -> str:
    if len(values) > MOST_LISTED and all(map(is_number, values)):
        return f"{len(values)} values, {value_label(min(values))} to {value_label(max(values))}"
    return ", ".join(map(value_label, values))


def how_stopped(scheduler: Scheduler) -> str:
    """The scheduler and its settings."""
    return f"{scheduler.kind} ({_settings(scheduler.model_dump(exclude={'kind'}))})"


def unproposed(plan: Plan) -> str:
    """That an adaptive search has not come to its end; empty where it has, or there is none."""
    count = sum(plan.unproposed.values())
    if not count:
        return ""
    few = "1 trial is" if count == 1 else f"{count} trials are"
    return f"{few} yet to be proposed, so every choice of a trial is provisional."


def what_varies(study: Study) -> str:
    """What each variation lays over the fixed settings."""
    variations = (f"{name} ({_settings(laid)})" for name, laid in study.variations.items())
    return "; ".join(variations)


def _settings(laid: Mapping[str, Any]) -> str:
    listed = (f"{name} {plain(value)}" for name, value in laid.items())
    return ", ".join(listed) or "as fixed"


def _nats(value: float) -> str:
    return f"{value:.3f}" if isfinite(value) else "—"


def title(plan: Plan) -> str:
    """The study's name and its variant."""
    return plan.study.name + (f" ({plan.study.variant})" if plan.study.variant else "")


def summary(rows: pd.DataFrame) -> str:
    """`36 trials: 34 complete, 2 pending; 108 replicates: …`, or that there is nothing yet."""
    trials = rows.drop_duplicates("trial_id")["state"]
    replicates = rows.drop_duplicates(["trial_id", "replicate"])["replicate_state"]
    if set(trials) == {"pending"} and set(replicates) == {"pending"}:
        return f"No result yet: none of the {len(trials)} planned trials has ended."
    return f"{_by_state(trials, 'trial')}; {_by_state(replicates, 'replicate')}."


def _by_state(states: pd.Series, noun: str) -> str:
    counts = Counter(states)
    listed = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    return f"{len(states)} {noun}{'s' if len(states) > 1 else ''}: {listed}"
