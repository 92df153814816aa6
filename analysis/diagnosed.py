"""What the rules on records find in the trials behind the cells of a report, and what to do.

The rules are those of `gmm-study diagnose` that need neither the model nor the data. They judge
rises, biases and choices by the same functions as the conditions of the answer, which say how many
replicates are concerned and by how much; here it is which ones, and what to do.
"""

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.conditions import with_a_mean
from analysis.findings import Findings
from analysis.frames import Records
from analysis.places import listed, place_of
from analysis.planned import each_once
from gmm_study.diagnosis.finding import Finding, Missing, Verdict
from gmm_study.diagnosis.rules import NAMES, OF_TRIALS, judge_record
from gmm_study.diagnosis.run import Points, Run
from gmm_study.phrases import in_a_list, plural
from gmm_study.training.state import TrialState
from gmm_study.trials.result import ReplicateResult, parse_ending

_NEEDED = ("learning_rate", "bound", "log_p", "criterion")
"""The metrics of curves that the rules read, beside their averaged ones."""


@dataclass(frozen=True)
class Line:
    """One finding, and where it applies."""

    rule: str
    where: str
    """The cells, each with how many of its replicates."""
    figure: str
    """That of the first of them."""
    to_do: str


@dataclass(frozen=True)
class Diagnosis:
    """The findings on the trials behind the cells, in the order of the rules."""

    replicates: int
    """How many were judged."""
    lines: tuple[Line, ...]
    left_out: tuple[str, ...]
    """A sentence for each rule that could not judge some of them, and why."""

    @property
    def summary(self) -> str:
        """What was judged, and by which rules, in a sentence or two."""
        if not self.replicates:
            return "No cell has a mean yet, so no replicate was judged."
        found = "" if self.lines else " and found nothing"
        return (
            "The rules that need the records alone judged the "
            f"{plural(self.replicates, 'replicate')} behind the cells{found}. Those that need the "
            "model and the data: gmm-study diagnose TRIAL."
        )


def diagnosis_of(found: Findings) -> Diagnosis:
    """The diagnosis of the trials behind the cells that have a mean, each trial once."""
    cells = with_a_mean(found.all_cells).drop_duplicates("trial_id").to_dict("records")
    curves = _curves(found.records, [str(cell["trial_id"]) for cell in cells])
    places: dict[tuple[str, str], Counter[str]] = {}
    first: dict[tuple[str, str], str] = {}
    missing: dict[str, Counter[str]] = {}
    totals: Counter[str] = Counter()
    for place, verdicts in _verdicts(found, cells, curves):
        totals[place] += 1
        for verdict in verdicts:
            if isinstance(verdict, Missing):
                missing.setdefault(verdict.rule, Counter())[verdict.why] += 1
            elif verdict.found:
                key = verdict.rule, verdict.to_do
                places.setdefault(key, Counter())[place] += 1
                first.setdefault(key, verdict.figure)
    for place, finding in _of_choices(found):
        key = finding.rule, finding.to_do
        places.setdefault(key, Counter())[place] = totals[place]
        first.setdefault(key, finding.figure)
    lines = [
        Line(rule, _where(own, totals), first[rule, to_do], to_do)
        for (rule, to_do), own in places.items()
    ]
    judged = sum(totals.values())
    left_out = [_left_out(rule, why, judged) for rule, why in missing.items()]
    return Diagnosis(judged, tuple(sorted(lines, key=_order)), tuple(left_out))


def _verdicts(
    found: Findings, cells: Sequence[Mapping[Any, Any]], curves: Mapping[tuple[str, int], Any]
) -> Iterator[tuple[str, list[Verdict]]]:
    """The verdicts on every replicate behind the cells, with the cell in words."""
    settings = {t.config.trial_id: t.config.hyperparameters for t in found.plan.trials}
    of_trial = dict(list(each_once(found.rows).groupby("trial_id", sort=False)))
    margin = found.plan.study.report.margin
    for cell in cells:
        trial_id, place = str(cell["trial_id"]), place_of(found.plan, cell)
        for row in of_trial[trial_id].to_dict("records"):
            own = curves.get((trial_id, int(row["replicate"])), {})
            run = Run(settings[trial_id], _result(row), own, margin)
            yield place, judge_record(run)


def _result(row: Mapping[Any, Any]) -> ReplicateResult:
    """The result of a replicate from its row among the planned ones (`join`)."""
    metrics = {
        str(name): float(value)
        for name, value in row.items()
        if str(name).startswith(("valid/", "test/")) and not pd.isna(value)
    }
    ending = None if pd.isna(row["ending"]) else parse_ending(row["ending"])[0]
    return ReplicateResult(
        TrialState(row["replicate_state"]),
        int(row["epochs"]),
        int(row["best_epoch"]),
        float(row["seconds"]),
        metrics,
        ending=ending,
        kept=None if pd.isna(row["kept"]) else row["kept"],
        collapsed=bool(row["collapsed"]),
    )


def _curves(
    records: Records, trial_ids: list[str]
) -> dict[tuple[str, int], dict[tuple[str, str], Points]]:
    """The points of the curves of trials, by trial and replicate, then by split and metric."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the figures of curves name what is damaged
        curves = records.curves(trial_ids)
    wanted = [name for name in curves["metric"].cat.categories if name.startswith(_NEEDED)]
    curves = curves[curves["metric"].isin(wanted)]
    found: dict[tuple[str, int], dict[tuple[str, str], Points]] = {}
    keys = ["trial_id", "replicate", "split", "metric"]
    for place, own in curves.groupby(keys, observed=True):
        trial_id, replicate, split, metric = map(str, place)
        points = list(zip(own["epoch"].tolist(), own["value"].tolist(), strict=True))
        found.setdefault((trial_id, int(replicate)), {})[split, metric] = points
    return found


def _of_choices(found: Findings) -> Iterator[tuple[str, Finding]]:
    """What the rules on the lead of a chosen trial find, with the cell in words."""
    for cell, lead in found.leads:
        for rule in OF_TRIALS.values():
            verdict = rule(lead)
            if isinstance(verdict, Finding) and verdict.found:
                yield place_of(found.plan, cell), verdict


def _where(places: Counter[str], totals: Counter[str]) -> str:
    """`gmm at depth 3 (2 of 3), rws at depth 3`: without a count where it is all replicates."""
    return listed(
        [
            place if count >= totals[place] else f"{place} ({count} of {totals[place]})"
            for place, count in places.items()
        ]
    )


def _left_out(rule: str, why: Counter[str], total: int) -> str:
    count = sum(why.values())
    which = "any replicate" if count == total else f"{count:,} of {total:,} replicates"
    return f"Not judged is '{rule}' of {which}: {in_a_list(list(why))}."


def _order(line: Line) -> int:
    return NAMES.index(line.rule)
