"""Why a run is as it is, from Python."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmm_study.api.checkpoints import (
    check_least,
    dataset_of,
    open_trained,
    shipped_models,
    warn_user,
)
from gmm_study.api.defaults import (
    CHUNK_ROWS,
    DIAGNOSED_DRAWS,
    DIAGNOSED_ROWS,
    DIAGNOSED_SAMPLES,
    LEAST_DRAWS,
    MARGIN,
    RESULTS,
)
from gmm_study.api.feedback import Bar, Working, silently, without_bar
from gmm_study.diagnosis.finding import Finding, Missing, Verdict
from gmm_study.errors import InputError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from gmm_study.data.dataset import Dataset
    from gmm_study.diagnosis.figures import Lead
    from gmm_study.diagnosis.measured import Measured
    from gmm_study.diagnosis.run import Run
    from gmm_study.training.checkpoint import Checkpoint
    from gmm_study.trials.config import TrialConfig
    from gmm_study.trials.record import Record, RecordStore
    from gmm_study.trials.result import TrialResult

CHECKPOINT = "checkpoint"


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
            {"replicate": each.replicate, **row_of(verdict)}
            for each in self.replicates
            for verdict in each.verdicts
        ]
        return pd.DataFrame(rows, columns=["replicate", "rule", "found", "figure", "what", "to_do"])


def row_of(verdict: Verdict) -> dict[str, Any]:
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
    numbers = {"evaluation_samples": evaluation_samples, "chunk_rows": chunk_rows}
    check_least(1, **numbers, threads=threads)
    check_least(2, datapoints=datapoints)
    check_least(LEAST_DRAWS, draws=draws)
    check_least(0, seed=seed, replicate=replicate)
    if not margin > 0.0:
        raise InputError(f"margin: {margin:g} must be above 0")
    subject = _Subject.named(str(trial), storage, working)
    opened, chosen = subject.opened(device, threads, working)
    loaded: Dataset | str = "they were not asked for"
    if not record_only:
        loaded = _data_of(opened, dataset, working, warn)
    runs, lead = subject.runs(margin), subject.lead()
    options = (evaluation_samples, datapoints, draws, seed, chunk_rows, chosen, margin)
    found = []
    for number in subject.replicates(opened, replicate):
        of_model = _measured(opened, loaded, number, options)
        verdicts = _verdicts(runs.get(number), lead, of_model, subject.why_no_result, bar)
        ended = runs[number].result if number in runs else None
        ending = str(ended.ending) if ended and ended.ending else None
        epochs = ended.epochs if ended else None
        found.append(DiagnosedReplicate(number, ending, epochs, verdicts))
    config = subject.config_of(opened)
    facts = config.trial_id, config.hyperparameters.method, config.dataset, margin
    return Diagnosis(str(trial), *facts, found)


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
    opened: "Checkpoint | str", loaded: "Dataset | str", number: int, options: Sequence[Any]
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
    from gmm_study.diagnosis.measured import Measured

    return Measured(opened, number, loaded, *options)


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


@dataclass(frozen=True)
class _Subject:
    """What there is of a trial: its record, its checkpoint, and the storage that it is in."""

    record: "Record | None"
    checkpoint: str | None
    """Where the checkpoint may be."""
    store: "RecordStore"

    @classmethod
    def named(cls, trial: str, storage: str, working: Working) -> "_Subject":
        """The trial at a path or address, or of an id, or the model of a name; or `InputError`."""
        with working("reading the record"):
            from analysis.shipped import with_shipped
            from gmm_study.trials.record import RecordStore

            store = with_shipped(RecordStore(storage))
            if "://" in trial or Path(trial).exists():
                return _at(trial, store)
            name = trial.rstrip("/")
            models = shipped_models()
            if name in models:
                return _of_model(str(models[name]), store)
            ids = store.trial_ids()
            if name in ids:
                is_address = "://" in storage
                place = f"{storage.rstrip('/')}/{name}" if is_address else store.record(name).path
                return cls(store.record(name), place, store)
        raise InputError(
            f"trial: '{trial}' is neither a folder, nor the id of a trial in '{storage}', nor the "
            f"name of a model that comes with gmm-study; {_hint(name, ids, models)}"
        )

    def opened(
        self, device: str, threads: int | None, working: Working
    ) -> "tuple[Checkpoint | str, str]":
        """The checkpoint, or why there is none, and the device to use."""
        if self.checkpoint is None:
            return "the record has no checkpoint", device
        try:
            return open_trained(self.checkpoint, device, threads, working)
        except InputError as error:
            if self.record is None or not str(error).startswith("checkpoint: "):
                raise
            return "the record has no checkpoint that can be read", device

    def config_of(self, opened: "Checkpoint | str") -> "TrialConfig":
        """The configuration, from the record or the checkpoint."""
        found = None if self.record is None else _config(self.record)
        if found is not None:
            return found
        assert not isinstance(opened, str)
        return config_of_checkpoint(opened)

    @property
    def result(self) -> "TrialResult | None":
        """Its result, if it has one. Raises `InputError` if that cannot be read."""
        try:
            return None if self.record is None else self.record.result()
        except ValueError as error:
            raise InputError(f"trial: {error}") from None

    @property
    def why_no_result(self) -> str:
        """Why a replicate may have no result."""
        if self.record is None:
            return "there is no record of this model, only its checkpoint"
        return "the record has no result of this replicate yet"

    def replicates(self, opened: "Checkpoint | str", only: int | None) -> list[int]:
        """The numbers of the replicates to judge. Raises `InputError` if there are none."""
        result = self.result
        known = {*(result.replicates if result else ())}
        if not isinstance(opened, str):
            known |= {*opened.replicates}
        if not known:
            raise InputError("trial: no replicate of it has ended; wait for the first result")
        if only is not None and only not in known:
            numbers = ", ".join(map(str, sorted(known)))
            raise InputError(f"replicate: {only} is not in this trial; it has {numbers}")
        return sorted(known) if only is None else [only]

    def runs(self, margin: float) -> "Mapping[int, Run]":
        """The replicates that have ended, with their curves."""
        from gmm_study.diagnosis.run import runs_of

        result, config = self.result, None if self.record is None else _config(self.record)
        if self.record is None or result is None or config is None:
            return {}
        try:
            rows = self.record.metrics().to_pylist()
        except ValueError as error:
            raise InputError(f"trial: {error}") from None
        return runs_of(config.hyperparameters, result, rows, margin)

    def lead(self) -> "Lead | str":
        """Its lead over the best other trial of its storage, or why there is none."""
        from gmm_study.diagnosis.rivals import lead_over_rivals

        result, config = self.result, None if self.record is None else _config(self.record)
        if self.record is None or result is None or config is None:
            return self.why_no_result
        return lead_over_rivals(self.store, config, result, self.record)


def _at(trial: str, store: "RecordStore") -> _Subject:
    """The trial whose record or checkpoint is in a folder or at the address of a bucket."""
    from gmm_study.trials.record import Record, RecordStore

    place = trial.rstrip("/")
    if Path(place).is_file():
        raise InputError(f"trial: '{trial}' is a file; give the folder of a record or a checkpoint")
    if place.endswith(f"/{CHECKPOINT}"):
        outer = place.removesuffix(f"/{CHECKPOINT}")
        if _config(Record.at(outer)) is not None:
            place = outer
    record = Record.at(place)
    if _config(record) is None:
        return _of_model(trial, store)
    beside = place.rpartition("/")[0] or "."
    return _Subject(record, place, RecordStore(beside))


def _of_model(checkpoint: str, store: "RecordStore") -> _Subject:
    """A checkpoint without a record beside it; its record may be in the storage."""
    opened, _ = open_trained(checkpoint, "cpu", None)
    record = store.record(config_of_checkpoint(opened).trial_id)
    return _Subject(None if _config(record) is None else record, checkpoint, store)


def config_of_checkpoint(opened: "Checkpoint") -> "TrialConfig":
    """The configuration of the trial whose checkpoint it is."""
    from gmm_study.trials.config import TrialConfig

    return TrialConfig(opened.hyperparameters, opened.dataset_name, opened.dataset_sha256)


def _config(record: "Record") -> "TrialConfig | None":
    try:
        return record.config()
    except ValueError as error:
        raise InputError(f"trial: {error}") from None


def _hint(name: str, ids: Sequence[str], models: Mapping[str, Path]) -> str:
    """The nearest name; the names of the models if there are many ids."""
    near = did_you_mean(name, [*ids, *models])
    return near if near.startswith("did you mean") else did_you_mean(name, models)


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
    texts = {name: getattr(finding, name) for name in ("rule", "figure", "what", "counts", "to_do")}
    return {**texts, "values": dict(finding.values)}
