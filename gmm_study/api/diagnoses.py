"""Why a run is as it is, from Python."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmm_study.api.checkpoints import check_least, dataset_of, warn_user
from gmm_study.api.defaults import (
    CHUNK_ROWS,
    DIAGNOSED_DRAWS,
    DIAGNOSED_ROWS,
    DIAGNOSED_SAMPLES,
    LEAST_DIAGNOSED_ROWS,
    LEAST_DRAWS,
    MARGIN,
    RESULTS,
)
from gmm_study.api.feedback import Bar, Working, silently, without_bar
from gmm_study.api.found_trial import FoundTrial
from gmm_study.diagnosis.finding import Finding, Missing, Verdict
from gmm_study.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from gmm_study.data.dataset import Dataset
    from gmm_study.diagnosis.figures import Lead
    from gmm_study.diagnosis.measured import Measured
    from gmm_study.diagnosis.run import Run
    from gmm_study.training.checkpoint import Checkpoint
    from gmm_study.training.hyperparameters import Hyperparameters


@dataclass(frozen=True)
class DiagnosedReplicate:
    """The verdicts on one replicate, in the order of the rules."""

    replicate: int
    ending: str | None
    """Why its training ended; None if the record does not say, or there is none."""
    epochs: int | None
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def found(self) -> list[Finding]:
        """The findings: what is wrong with it."""
        return [each for each in self._judged if each.found]

    @property
    def nothing(self) -> list[Finding]:
        """What the other rules measured, which found nothing."""
        return [each for each in self._judged if not each.found]

    @property
    def left_out(self) -> list[Missing]:
        """The rules that could not judge, each with the reason."""
        return [each for each in self.verdicts if isinstance(each, Missing)]

    @property
    def _judged(self) -> list[Finding]:
        return [each for each in self.verdicts if isinstance(each, Finding)]


@dataclass(frozen=True)
class Diagnosis:
    """Why the replicates of a trial are as they are."""

    trial: str
    """The folder or the id of the trial, or the name of the model."""
    trial_id: str
    method: str
    dataset: str
    margin: float
    """What matters, in nats."""
    replicates: list[DiagnosedReplicate]

    def frame(self) -> "pd.DataFrame":
        """A row for each replicate and rule: `found`, `what` or the `figure`, and what `to_do`.

        `found` is missing for a rule that could not judge, and `figure` then says why.
        """
        import pandas as pd

        rows = [
            {"replicate": each.replicate, **_row_of(verdict)}
            for each in self.replicates
            for verdict in each.verdicts
        ]
        return pd.DataFrame(rows, columns=["replicate", "rule", "found", "figure", "what", "to_do"])


def _row_of(verdict: Verdict) -> dict[str, Any]:
    """A verdict as a row of a table."""
    if isinstance(verdict, Missing):
        return {"rule": verdict.rule, "found": None, "figure": verdict.why, "what": "", "to_do": ""}
    names = ("rule", "found", "figure", "what", "to_do")
    return {name: getattr(verdict, name) for name in names}


def diagnose(
    trial: Path | str,
    *,
    storage: str = RESULTS,
    record_only: bool = False,
    margin: float = MARGIN,
    evaluation_samples: int = DIAGNOSED_SAMPLES,
    datapoints: int = DIAGNOSED_ROWS,
    draws: int = DIAGNOSED_DRAWS,
    dataset: str | None = None,
    replicate: int | None = None,
    seed: int = 0,
    chunk_rows: int = CHUNK_ROWS,
    device: str = "auto",
    threads: int | None = None,
    working: Working = silently,
    bar: Bar = without_bar,
    warn: Callable[[str], None] = warn_user,
) -> Diagnosis:
    """Say why a run is as it is: what is wrong with it, each with its figure and what to do.

    `trial` is the record of a trial, the folder `checkpoint` in it, the id of a trial in `storage`
    or among the records that come with the project, or the name of a model that comes with it.
    Rules on the record need neither data nor checkpoint. Those on the model need both, unless
    `record_only` leaves them out: they use `datapoints` rows of the training data and as many of
    the validation data, drawn at random, `evaluation_samples` as the large K, and `draws` estimates
    of the gradient. Differences below `margin` nats do not matter. `dataset` names data other than
    those of the training. A rule that cannot judge is among the verdicts with its reason. Raises
    `InputError` if there is no such trial, and for a number that is out of range.
    """
    check_least(1, evaluation_samples=evaluation_samples, chunk_rows=chunk_rows, threads=threads)
    check_least(LEAST_DIAGNOSED_ROWS, datapoints=datapoints)
    check_least(LEAST_DRAWS, draws=draws)
    check_least(0, seed=seed, replicate=replicate)
    _check_margin(margin)
    subject = FoundTrial.named(str(trial), storage, device, threads, working)
    from gmm_study.diagnosis.measured import Measured

    opened = subject.checkpoint
    if not record_only:
        _check_samples(evaluation_samples, subject.config.hyperparameters)
    loaded = "--record-only" if record_only else _data_of(opened, dataset, working, warn)
    measure = partial(
        Measured,
        samples=evaluation_samples,
        datapoints=datapoints,
        draws=draws,
        seed=seed,
        chunk_rows=chunk_rows,
        device=subject.device,
        margin=margin,
    )
    runs, lead = subject.runs(margin), _lead_of(subject)
    found = []
    for number in subject.replicates(replicate):
        of_model = _measured(opened, loaded, number, measure)
        verdicts = _verdicts(runs.get(number), lead, of_model, subject.why_no_result, bar)
        found.append(_replicate(number, runs.get(number), verdicts))
    facts = subject.config.trial_id, subject.config.hyperparameters.method, subject.config.dataset
    return Diagnosis(str(trial), *facts, margin, found)


def _check_margin(margin: float) -> None:
    if not margin > 0.0:
        raise InputError(f"margin: {margin:g} must be above 0")


def _check_samples(samples: int, settings: "Hyperparameters") -> None:
    trained_with = settings.stage_list[-1].training_samples
    if samples <= trained_with:
        raise InputError(
            f"evaluation_samples: {samples} must be above the K of training, {trained_with}"
        )


def _replicate(number: int, run: "Run | None", verdicts: list[Verdict]) -> DiagnosedReplicate:
    if run is None:
        return DiagnosedReplicate(number, None, None, verdicts)
    ending = None if run.result.ending is None else str(run.result.ending)
    return DiagnosedReplicate(number, ending, run.result.epochs, verdicts)


def _verdicts(
    run: "Run | None",
    lead: "Lead | str",
    measured: "Measured | str",
    why_no_result: str,
    bar: Bar,
) -> list[Verdict]:
    """The verdicts of all rules; a text in place of what a rule needs says why that is missing."""
    from gmm_study.diagnosis import rules

    known = rules.without(rules.OF_RECORDS, why_no_result) if run is None else []
    verdicts = known if run is None else rules.judge_record(run)
    if isinstance(lead, str):
        verdicts += rules.without(rules.OF_TRIALS, lead)
    else:
        verdicts += [rule(lead) for rule in rules.OF_TRIALS.values()]
    if run is not None and run.diverged:
        measured = "it diverged"
    if isinstance(measured, str):
        return [*verdicts, *rules.without(rules.OF_MODELS, measured)]
    with bar("measuring the model", measured.sample_rows) as advance:
        measured.watch = advance
        return [*verdicts, *rules.judge_model(measured)]


def _measured(
    opened: "Checkpoint | str",
    loaded: "Dataset | str",
    number: int,
    measure: "Callable[[Checkpoint, int, Dataset], Measured]",
) -> "Measured | str":
    """The measurements of a replicate, none of which has been made; or why there are none."""
    if isinstance(opened, str):
        return opened
    if isinstance(loaded, str):
        return loaded
    if number in opened.diverged:
        return "it diverged"
    if number not in opened.replicates:
        return "the checkpoint does not hold this replicate"
    return measure(opened, number, loaded)


def _lead_of(subject: FoundTrial) -> "Lead | str":
    """Its lead over the best other trial of its storage, or why there is none."""
    from gmm_study.diagnosis.rivals import lead_over_rivals

    result = subject.result
    if subject.record is None or result is None:
        return subject.why_no_result
    return lead_over_rivals(subject.store, subject.config, result, subject.record)


def _data_of(
    opened: "Checkpoint | str", dataset: str | None, working: Working, warn: Callable[[str], None]
) -> "Dataset | str":
    """The data of the training, or those that the user names; or why they cannot be had."""
    if isinstance(opened, str):
        return opened
    try:
        return dataset_of(opened, dataset, working, warn)
    except InputError as error:
        if dataset is not None:
            raise
        return f"no data: {error}"


def as_document(found: Diagnosis) -> dict[str, Any]:
    """The diagnosis for programs: the fields, and of each replicate its verdicts by kind."""
    replicates = [
        {
            "replicate": each.replicate,
            "ending": each.ending,
            "epochs": each.epochs,
            "found": [_for_programs(finding) for finding in each.found],
            "nothing": [_for_programs(finding) for finding in each.nothing],
            "left_out": [asdict(missing) for missing in each.left_out],
        }
        for each in found.replicates
    ]
    names = ("trial", "trial_id", "method", "dataset", "margin")
    return {**{name: getattr(found, name) for name in names}, "replicates": replicates}


def _for_programs(finding: Finding) -> dict[str, Any]:
    texts = {
        name: getattr(finding, name) for name in ("rule", "figure", "what", "threshold", "to_do")
    }
    return {**texts, "values": dict(finding.values)}
