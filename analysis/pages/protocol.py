"""How a study was run, as facts by name: trials, settings, search, machines, failures."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from analysis.findings import Findings
from analysis.frames import Records
from analysis.labels import axis_label, plain, value_label
from analysis.places import listed, place_of
from analysis.planned import each_once
from gmm_study.phrases import in_a_list, plural
from gmm_study.study.axis import Axis
from gmm_study.study.fields import VARIATION
from gmm_study.study.plan import Plan
from gmm_study.study.schema import Study
from gmm_study.study.strategies import DrawnSearch, Scheduler
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.presets import preset_named
from gmm_study.training.state import TrialState

_LISTED = (
    TrialState.COMPLETE,
    TrialState.STOPPED,
    TrialState.RUNNING,
    TrialState.PENDING,
    TrialState.DIVERGED,
    TrialState.FAILED,
)
"""The states in the order in which their counts are listed."""


class Failure(NamedTuple):
    """A trial that failed, or that has a diverged replicate."""

    label: str
    trial_id: str
    state: str
    reason: str


def title(plan: Plan) -> str:
    """The study's name and its variant."""
    return plan.study.name + (f" ({plan.study.variant})" if plan.study.variant else "")


def summary(rows: pd.DataFrame) -> str:
    """`36 trials: 34 complete, 2 pending; 108 replicates: …`, or that no trial has ended."""
    trials = rows.drop_duplicates("trial_id")["state"]
    replicates = each_once(rows)["replicate_state"]
    if {*trials, *replicates} == {TrialState.PENDING}:
        return f"No result yet: none of the {len(trials)} planned trials has ended."
    return f"{_by_state(trials, 'trial')}; {_by_state(replicates, 'replicate')}."


def progress(found: Findings) -> str:
    """The states of the trials that compete, of those that were screened, and what is to come."""
    if not found.plan.study.screening:
        texts = [summary(found.rows)]
    else:
        confirmed = _confirmed(found)
        texts = [confirmed and f"Confirmed: {confirmed}", f"Screened: {summary(found.screened)}"]
    return " ".join(filter(None, (*texts, unproposed(found.plan))))


def protocol(found: Findings) -> dict[str, str]:
    """What was trained, with which settings, and how they were searched: texts by short names."""
    plan, study = found.plan, found.plan.study
    facts = {
        "trials": summary(found.screened),
        "confirmed trials": _confirmed(found),
        "methods": ", ".join(study.methods),
        "data sets": ", ".join(study.datasets),
        **{axis_label(name): _values(axis) for name, axis in study.space.items()},
        "fixed": _settings(study.fixed),
        **{f"on {dataset}": _settings(own) for dataset, own in study.per_dataset.items()},
        **{f"for {method}": _settings(own) for method, own in study.per_method.items()},
        f"from the preset {study.preset}": _unset(plan, from_preset=True),
        "at their defaults": _unset(plan, from_preset=False),
        "all durations": f"{study.longer} times those given here" if study.longer > 1 else "",
        "samples for selection": _selection_samples(study),
        "samples for 2 log Z": _z_samples(study),
        "replicates per trial": str(study.replicates),
        "parameters kept in all trials, the better ones by validation": _kept_parameters(
            plan, found.rows
        ),
        "search": _search(study),
        "scheduler": _scheduler(study),
        "still to come": unproposed(plan),
        "variations": "; ".join(
            f"{name} ({_settings(changed) or 'as fixed'})"
            for name, changed in study.variations.items()
        ),
        "no data": ", ".join(plan.without_data),
    }
    return {name: text for name, text in facts.items() if text}


def _confirmed(found: Findings) -> str:
    """The states of the trials that were confirmed; empty without a screening or before that."""
    has_any = found.plan.study.screening and not found.confirmed.empty
    return summary(found.confirmed) if has_any else ""


def provenance(records: Records) -> dict[str, str]:
    """Training time, dates, machines, versions and commits, from the records that have them."""
    trials, seconds = records.trials, float(records.replicates["seconds"].sum())
    facts = {"training time": f"{_duration(seconds)}, sum over replicates" if seconds else ""}
    ended = trials["finished"].dropna()
    if len(ended):
        days = (f"{day:%Y-%m-%d}" for day in (ended.min(), ended.max()))
        facts["finished"] = " to ".join(dict.fromkeys(days))
    for name, column in (
        ("machine", "machine"),
        ("versions", "versions"),
        ("commit", "git_commit"),
    ):
        distinct = sorted(str(value) for value in trials[column].dropna().unique())
        facts[name] = "; ".join(text[:10] if name == "commit" else text for text in distinct)
    return {name: text for name, text in facts.items() if text}


def unproposed(plan: Plan) -> str:
    """How many trials are yet to be proposed or confirmed; empty if there are none."""
    counts = (plan.unproposed, "", "proposed"), (plan.unconfirmed, "at most ", "confirmed")
    totals = ((sum(each.values()), about, verb) for each, about, verb in counts)
    parts = [
        f"{about}{plural(count, 'trial')} {'is' if count == 1 else 'are'} yet to be {verb}"
        for count, about, verb in totals
        if count
    ]
    if not parts:
        return ""
    unfinished = list(dict.fromkeys(cell.dataset for cell in plan.open_cells))
    settled = {trial.config.dataset for trial in plan.trials} - set(unfinished)
    where = f" on {in_a_list(unfinished)}" if settled else ""
    return f"{' and '.join(parts)}, so every choice of a trial{where} is provisional."


def failures(found: Findings) -> list[Failure]:
    """The trials that failed, then those with diverged replicates, in the plan's order."""
    labels = {trial.config.trial_id: trial.label for trial in found.plan.trials}
    rows = each_once(pd.concat([found.rows, found.screened]))
    failed = rows[rows["state"] == TrialState.FAILED].drop_duplicates("trial_id")
    reasons = dict(zip(failed["trial_id"], failed["reason"], strict=True))
    diverged = Counter(rows.loc[rows["replicate_state"] == TrialState.DIVERGED, "trial_id"])
    wanted = {trial.config.trial_id: trial.replicates for trial in found.plan.trials}
    return [
        Failure(label, trial_id, TrialState.FAILED, reasons[trial_id])
        for trial_id, label in labels.items()
        if trial_id in reasons
    ] + [
        Failure(labels[trial_id], trial_id, TrialState.DIVERGED, f"{count} of {n} replicates")
        for trial_id, n in wanted.items()
        if (count := diverged[trial_id]) and trial_id not in reasons
    ]


def _kept_parameters(plan: Plan, rows: pd.DataFrame) -> str:
    """`gmm averaged 2, raw 1`, counted over all trials; empty where no average was validated."""
    known = rows[rows["kept"].notna()]
    counts: dict[str, Counter[str]] = {}
    for row in known.to_dict("records"):
        counts.setdefault(place_of(plan, row), Counter())[row["kept"]] += 1
    return listed(
        [
            f"{place} {', '.join(f'{kept} {count}' for kept, count in sorted(own.items()))}"
            for place, own in counts.items()
        ],
        "; ",
    )


def _unset(plan: Plan, from_preset: bool) -> str:
    """The settings that the file leaves alone, by the methods that read them.

    They are those of the preset, or those at their defaults. Of variations, those of the first one.
    """
    study = plan.study
    first = next(iter(study.variations), "")
    set_here = {name.partition(".")[0] for name in (*study.fixed, *study.space)}
    set_here |= {"method", "evaluation_samples", *study.variations.get(first, {})}
    if _z_samples(study):
        set_here.add("z_samples")
    if _selection_samples(study):
        set_here.add("selection_samples")
    preset = preset_named(study.preset) if study.preset else None
    readers: dict[str, dict[str, None]] = {}
    for trial in plan.trials:
        if trial.axes.get(VARIATION, "") == first:
            settings = trial.config.hyperparameters
            set_for_it = set_here | study.per_method.get(settings.method, {}).keys()
            set_for_it |= study.per_dataset.get(trial.config.dataset, {}).keys()
            given = preset.of_method(settings.method) if preset else {}
            for name, value in settings.canonical().items():
                if name not in set_for_it and (name in given) is from_preset:
                    text = f"{name} {plain(value)}{_where_not_set(study, name)}"
                    readers.setdefault(text, {})[settings.method] = None
    groups: dict[tuple[str, ...], list[str]] = {}
    for text, methods in readers.items():
        groups.setdefault(tuple(methods), []).append(text)
    return "; ".join(
        ("" if len(methods) == len(study.methods) else f"for {' and '.join(methods)}: ")
        + _listed(texts)
        for methods, texts in sorted(groups.items(), key=lambda group: -len(group[0]))
    )


def _where_not_set(study: Study, name: str) -> str:
    """` on A, B`, the data sets without an own value of a setting; empty if none has one."""
    others = [each for each in study.datasets if name not in study.per_dataset.get(each, {})]
    return "" if len(others) == len(study.datasets) else f" on {', '.join(others)}"


def _selection_samples(study: Study) -> str:
    """The number of samples, if the study changes it."""
    samples = study.evaluation.selection_samples
    return "" if samples == Hyperparameters.selection_samples else f"{samples:,}"


def _z_samples(study: Study) -> str:
    """The number of samples, if the study changes it."""
    samples = study.evaluation.z_samples
    return "" if samples == Hyperparameters.z_samples else f"{samples:,}"


def _values(axis: Axis) -> str:
    if axis.values:
        listed = _listed(value_label(plain(value)) for value in axis.values)
        return listed if axis.grid else f"choice of {listed}"
    return f"{axis.kind} from {' to '.join(map(value_label, getattr(axis, axis.kind)))}"


def _search(study: Study) -> str:
    search = study.search
    if not isinstance(search, DrawnSearch):
        return "grid, every combination once" if study.space else ""
    points = search.points[: search.trials]
    trials = plural(search.trials, "trial")
    text = f"{search.kind}, {trials} in every cell of the grid, seed {search.seed}"
    if points:
        listed = ", ".join(f"({_settings(point)})" for point in points)
        text += f"; given in the study's file and tried first: {listed}"
    if search.screen:
        seeds = plural(search.screen.replicates, "replicate")
        text += f"; screened with {seeds} each, the best {search.screen.confirm} confirmed with all"
    return text


def _scheduler(study: Study) -> str:
    scheduler = study.scheduler
    if not isinstance(scheduler, Scheduler):
        return ""
    return f"{scheduler.kind} ({_settings(scheduler.model_dump(exclude={'kind'}))})"


def _settings(settings: Mapping[str, Any]) -> str:
    return _listed(f"{name} {plain(value)}" for name, value in settings.items())


def _listed(texts: Iterable[str]) -> str:
    """Separated by commas, or by semicolons where a text has a comma in it."""
    listed = list(texts)
    return ("; " if any("," in text for text in listed) else ", ").join(listed)


def _by_state(states: pd.Series, noun: str) -> str:
    counts = Counter(states)
    listed = ", ".join(f"{counts[state]} {state}" for state in _LISTED if counts[state])
    return f"{plural(len(states), noun)}: {listed}"


def _duration(seconds: float) -> str:
    """`2.50 hours`, or `40 seconds` below a hundredth of an hour."""
    return f"{seconds / 3600:.2f} hours" if seconds >= 36 else f"{seconds:.0f} seconds"
