"""What was spent on the trials of a study: trials, epochs and core-seconds, by method.

Core-seconds are the training time of all replicates, validation included, times the cores that the
study's file gives to a trial. The final evaluation is not included. The time of a trial that a
scheduler stopped is that of its curve. A trial that failed before its first epoch counts no time.
One that goes on from a shorter trial counts the seconds of that one too, as its record has them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import pandas as pd

from analysis.frames import Records
from analysis.planned import ENDED, each_once
from gmm_study.phrases import plural
from gmm_study.study.plan import Plan
from gmm_study.training.state import TrialState


@dataclass(frozen=True)
class Spent:
    """What was spent on some trials, over all their replicates."""

    trials: int
    epochs: int
    core_seconds: float
    """Of training, by the number of cores that the study gives to a trial."""
    untimed: int
    """The trials among them that ended before they had a result, and whose time is not known."""


def spent_of_trials(plan: Plan, records: Records, rows: pd.DataFrame) -> dict[str, Spent]:
    """What was spent on each trial that is over, by its id; that of a stopped one by its curve."""
    once = each_once(rows)
    over = once[once["state"].isin([*ENDED, TrialState.STOPPED, TrialState.FAILED])]
    cut = list(dict.fromkeys(over.loc[~over["replicate_state"].isin(ENDED), "trial_id"]))
    of_cut = _spent_on_curves(records, cut)
    cores, found = plan.study.resources.cpus, {}
    for trial_id, own in over.groupby("trial_id", sort=False):
        has_ended = own["replicate_state"].isin(ENDED)
        places = ((str(trial_id), int(number)) for number in own.loc[~has_ended, "replicate"])
        trained = [of_cut[place] for place in places if place in of_cut]
        seconds = float(own.loc[has_ended, "seconds"].sum()) + sum(time for _, time in trained)
        epochs = int(own.loc[has_ended, "epochs"].sum()) + sum(last for last, _ in trained)
        found[str(trial_id)] = Spent(1, epochs, cores * seconds, untimed=int(isnan(seconds)))
    return found


def spent_by_method(plan: Plan, spent: Mapping[str, Spent]) -> dict[str, Spent]:
    """What was spent on the trials of each method, in the study's order."""
    total: dict[str, list[Spent]] = {method: [] for method in plan.study.methods}
    for trial in plan.trials:
        if (own := spent.get(trial.config.trial_id)) is not None:
            total[trial.config.hyperparameters.method].append(own)
    return {
        method: Spent(
            len(own),
            sum(each.epochs for each in own),
            sum(each.core_seconds for each in own if not each.untimed),
            sum(each.untimed for each in own),
        )
        for method, own in total.items()
    }


def budget_sentence(spent: Mapping[str, Spent]) -> str:
    """The tuning budget of every method, for the captions of tables; empty if nothing is over."""
    known = {method: own for method, own in spent.items() if own.trials}
    if not known:
        return ""
    texts = []
    for method, own in known.items():
        trials = f"{own.trials:,} trial{'' if own.trials == 1 else 's'}"
        seconds = f"{own.core_seconds:,.0f} core-seconds"
        if own.untimed:
            plural = "" if own.untimed == 1 else "s"
            seconds += f", not counting {own.untimed:,} trial{plural} whose time is unknown"
        texts.append(f"{method} {trials}, {own.epochs:,} epochs, {seconds}")
    return f" Budget of the whole study, over all replicates: {'; '.join(texts)}."


def screening_sentence(
    plan: Plan, screening: Mapping[str, Spent], whole: Mapping[str, Spent]
) -> str:
    """What part of the budget went into the screening; empty if the study has none, or none ended.

    Both are by the trial's id: what was spent on the seeds of the screening, and on all seeds.
    """
    screen = plan.study.screening
    if screen is None or not screening:
        return ""
    spent, in_all = (
        sum(own.core_seconds for own in each.values() if not own.untimed)
        for each in (screening, whole)
    )
    share = f" ({spent / in_all:.0%})" if in_all else ""
    return (
        f" Of it, {spent:,.0f} core-seconds{share} went into the screening of "
        f"{plural(len(screening), 'trial')} with {plural(screen.replicates, 'replicate')} each."
        + _confirmed(plan)
    )


def _confirmed(plan: Plan) -> str:
    """How many trials were confirmed, and that only these are shown; empty if none was."""
    confirmed, every = plan.confirmed, plan.study.replicates
    if not confirmed:
        return ""
    cells = {place.cell for place in plan.places}
    chosen = {place.cell for place in plan.places if place.config.trial_id in confirmed}
    where = "their cells" if chosen == cells else f"{len(chosen)} of {len(cells)} cells"
    were = "was" if len(confirmed) == 1 else "were"
    return (
        f" {len(confirmed)} of these trials {were} then trained with {every} replicates, as the "
        f"best of {where} by validation, and only such trials are shown."
    )


def _spent_on_curves(
    records: Records, trials: Sequence[str]
) -> dict[tuple[str, int], tuple[int, float]]:
    """The last epoch of each replicate of some trials, and its seconds (NaN if not recorded)."""
    curves = records.curves([str(trial) for trial in trials])
    seconds = curves[(curves["split"] == "train") & (curves["metric"] == "seconds")]
    keys = ["trial_id", "replicate"]
    ends = curves.groupby(keys, observed=True)["epoch"].max().to_frame()
    ends["seconds"] = seconds.groupby(keys, observed=True)["value"].max()
    return {
        (str(trial_id), int(replicate)): (int(epoch), float(spent))
        for trial_id, replicate, epoch, spent in ends.reset_index().itertuples(index=False)
    }
