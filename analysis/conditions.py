"""On what the answer of a study depends: sentences that stand before its figures and tables.

They are about the replicates behind the figures, those of the trial of each complete cell. An
answer holds without a condition if the search is complete, the replicates stopped improving at a
constant learning rate, none collapsed, the estimates of log p have converged in K, every choice of
a trial is clearer than its noise, and no chosen value is at an end of what was allowed.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.bias import bias_conditions
from analysis.choice_noise import LeadOfCell, choice_conditions
from analysis.collapse import collapsed_replicates
from analysis.ends import end_conditions
from analysis.labels import LOG_P
from analysis.lone_trials import lone_trial_conditions
from analysis.places import counted, listed, place_of, size_range
from analysis.planned import each_once
from analysis.selection import PROVISIONAL
from gmm_study.diagnosis.curves import LONGER, Rise, judge_rise
from gmm_study.study.plan import Plan
from gmm_study.training.state import Ending
from gmm_study.trials.selection import VALID_LOG_P

RISE, GAP = "valid/rise", f"{LOG_P}_gap"
ENDED: Mapping[str, str] = {
    Ending.EPOCHS: "ended at the limit of epochs",
    Ending.TIME: "ended at the limit of time",
    Ending.SCHEDULE: "came to the end of their learning rate's schedule",
}
"""The endings that do not show convergence."""
_RISING = "while still rising, by {} nats an epoch"
_MAY_RISE = "and rose at their end by {} nats an epoch, which may be noise or not"


def conditions(
    plan: Plan, rows: pd.DataFrame, cells: pd.DataFrame, leads: Sequence[LeadOfCell]
) -> list[str]:
    """A short sentence for each condition of the answer, with counts and sizes; none if it holds.

    `rows` are the planned replicates (`join`), `cells` their summary (`summarise`), `leads` those
    of the chosen trials (`leads_of_cells`).
    """
    shown = with_a_mean(cells)
    if shown.empty:
        return []
    behind = rows[rows["trial_id"].isin(shown["trial_id"])]
    behind = each_once(behind)
    return [
        *_provisional(plan, shown),
        *_still_rising(plan, behind),
        *_of_a_schedule(plan, behind),
        *_of_a_time_limit(behind),
        *(f"A setting does not act as it is meant to: {note}." for note in plan.study.notes),
        *_collapsed(plan, behind, shown),
        *bias_conditions(plan, rows, cells),
        *choice_conditions(leads),
        *lone_trial_conditions(plan, shown, leads),
        *end_conditions(plan, shown),
        *_too_short(behind),
        *_unknown(behind, chosen=bool((shown["candidates"] > 1).any())),
    ]


def with_a_mean(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells of log p that have a mean, whose replicates the conditions are about."""
    return cells[(cells["metric"] == LOG_P) & (cells["n"] > 0)]


def _provisional(plan: Plan, shown: pd.DataFrame) -> list[str]:
    """Where a better trial may still follow, so that even the order of methods may change."""
    cells = [cell for cell in shown.to_dict("records") if PROVISIONAL in cell["mark"]]
    if not cells:
        return []
    places = listed([place_of(plan, cell) for cell in cells])
    count = counted(len(cells), len(shown), "cell")
    return [f"In {count}, the search is not complete and a better trial may follow: {places}."]


def _still_rising(plan: Plan, behind: pd.DataFrame) -> list[str]:
    """For each ending that does not show convergence: how many were still rising, and how fast.

    Those whose slope may be noise are counted apart, unless they ended with a schedule, of which
    the next sentence says that its end shows little.
    """
    rise, error = _numbers(behind, RISE), _numbers(behind, f"{RISE}_se")
    kept, epochs = _numbers(behind, "best_epoch"), _numbers(behind, "epochs")
    judged = [
        judge_rise(slope, its_error, best, last, plan.study.report.margin)
        for slope, its_error, best, last in zip(rise, error, kept, epochs, strict=True)
    ]
    verdicts = pd.Series([verdict for verdict, _ in judged], index=behind.index)
    more = pd.Series([gain for _, gain in judged], index=behind.index)
    clear = verdicts == Rise.CLEAR
    unclear = (verdicts == Rise.UNCLEAR) & (behind["ending"] != Ending.SCHEDULE)
    sentences = []
    for ending, words in ENDED.items():
        its = behind["ending"] == ending
        for found, how in ((clear, _RISING), (unclear, _MAY_RISE)):
            these = (found & its).fillna(False)
            if these.any():
                count = counted(int(these.sum()), len(behind), "replicate")
                sentences.append(
                    f"{count} {words} {how.format(size_range(rise[these]))} "
                    f"({size_range(more[these])} over half as many epochs again): "
                    f"{_by_method(plan, behind, these)}."
                )
    return sentences


def _of_a_schedule(plan: Plan, behind: pd.DataFrame) -> list[str]:
    """How many ended with their schedule: its low learning rates flatten the end of any curve."""
    ended = int((behind["ending"] == Ending.SCHEDULE).fillna(False).sum())
    if not ended:
        return []
    return [
        f"{counted(ended, len(behind), 'replicate')} ended with their learning rate's schedule, "
        "whose end is flat at any length: only a longer schedule shows whether more training gains "
        f"more, as with --set longer={LONGER * plan.study.longer}."
    ]


def _of_a_time_limit(behind: pd.DataFrame) -> list[str]:
    """How many ended by a limit of time, under which a slower machine trains less."""
    its = (behind["ending"] == Ending.TIME).fillna(False)
    if not its.any():
        return []
    count = counted(int(its.sum()), len(behind), "replicate")
    epochs = _numbers(behind, "epochs")[its]
    return [
        f"{count} ended at the limit of time, after {epochs.min():.0f} to {epochs.max():.0f} "
        "epochs: how long they trained depends on the machine and on what else it did."
    ]


def _by_method(plan: Plan, behind: pd.DataFrame, its: pd.Series) -> str:
    """`gmm 12 of 12, rws 3 of 12`, with the data set if there are several."""
    by = ["dataset", "method"] if len(plan.study.datasets) > 1 else ["method"]
    counts = its.groupby([behind[name] for name in by], sort=False).agg(["sum", "size"])
    return listed(
        [
            f"{' on '.join(reversed(place)) if isinstance(place, tuple) else place} "
            f"{count} of {total}"
            for place, count, total in counts.itertuples(name=None)
            if count
        ]
    )


def _collapsed(plan: Plan, behind: pd.DataFrame, shown: pd.DataFrame) -> list[str]:
    """How many collapsed, where, and that the means include them."""
    collapsed = collapsed_replicates(behind)
    if not collapsed:
        return []
    places = [
        f"{place_of(plan, cell)} ({collapsed[cell['trial_id']]} of {cell['n']})"
        for cell in shown.to_dict("records")
        if cell["trial_id"] in collapsed
    ]
    total = counted(sum(collapsed.values()), len(behind), "replicate")
    return [
        f"{total} collapsed, which means no better than independent pixels, and are in the means: "
        f"{listed(places)}."
    ]


def _too_short(behind: pd.DataFrame) -> list[str]:
    """How many ended without convergence before enough epochs were validated for a slope."""
    unconverged = behind["ending"].notna() & behind["ending"].ne(Ending.CONVERGED)
    short = int((unconverged & _numbers(behind, RISE).isna()).sum())
    if not short:
        return []
    return [
        f"{counted(short, len(behind), 'replicate')} ended too early to tell whether they were "
        "still rising, as too few epochs were validated."
    ]


def _unknown(behind: pd.DataFrame, chosen: bool) -> list[str]:
    """How many replicates cannot be judged, and which facts are missing."""
    old = behind["ending"].isna()
    missing = {
        "why training ended and whether it collapsed": old,
        "whether it was still rising": old & _numbers(behind, RISE).isna(),
        "how much log p gains with K": _numbers(behind, GAP).isna(),
    }
    if chosen:
        missing["log p on the validation data"] = _numbers(behind, VALID_LOG_P).isna()
    lacking = np.logical_or.reduce([each.to_numpy(bool) for each in missing.values()])
    if not lacking.any():
        return []
    facts = _facts([(name, int(each.sum())) for name, each in missing.items()], len(behind))
    count = counted(int(lacking.sum()), len(behind), "replicate")
    return [f"{count} cannot be judged in full, as their records lack facts: {facts}."]


def _facts(missing: Sequence[tuple[str, int]], total: int) -> str:
    """The missing facts, each with the number of replicates that lack it unless all do."""
    return ", ".join(
        name if count == total else f"{name} ({count})" for name, count in missing if count
    )


def _numbers(rows: pd.DataFrame, name: str) -> pd.Series:
    """A metric of the replicates; NaN where a record lacks it."""
    if name not in rows:
        return pd.Series(np.nan, index=rows.index)
    return rows[name].astype("float64")
