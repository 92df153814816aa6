"""One trial without a study: `gmm_study.train` and `gmm_study.evaluate`."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmm_study.api.datasets import read_dataset
from gmm_study.api.defaults import (
    CHAINS,
    CHUNK_ROWS,
    DATASET,
    SAMPLES,
    STEPS,
    TOLERANCE,
    Z_SAMPLES,
)
from gmm_study.api.feedback import Bar, Working, silently, without_bar
from gmm_study.data.dataset import SPLITS, Dataset
from gmm_study.errors import InputError, did_you_mean
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.inert import inert_settings
from gmm_study.training.presets import preset_named

if TYPE_CHECKING:
    import pandas as pd
    from numpy import uint8
    from numpy.typing import NDArray

    from gmm_study.training.checkpoint import Checkpoint
    from gmm_study.trials.assessment import Assessment
    from gmm_study.trials.config import TrialConfig
    from gmm_study.trials.progress import Progress
    from gmm_study.trials.result import TrialResult


@dataclass(frozen=True)
class TrainedTrial:
    """A trial that was trained and evaluated: its configuration and its result."""

    config: "TrialConfig"
    result: "TrialResult"

    def frame(self) -> "pd.DataFrame":
        """A row for each replicate: state, epochs, best epoch, seconds, final metrics (nats)."""
        import pandas as pd

        return pd.DataFrame(self.result.rows())


def warn_user(line: str) -> None:
    """Warn the caller of a function of the Python interface."""
    warnings.warn(line, stacklevel=3)


def train(
    dataset: "Dataset | str" = DATASET,
    *,
    replicates: int = 1,
    output: Path | str | None = None,
    preset: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    watch: "Callable[[Progress], None]" = lambda progress: None,
    working: Working = silently,
    warn: Callable[[str], None] = warn_user,
    **hyperparameters: Any,
) -> TrainedTrial:
    """Train one trial without a study and without Ray, and evaluate it on the test set.

    `hyperparameters` are the settings of a study file, for example `method="rws", layers=[48, 24],
    samples=10`. `samples` is the K of training, `evaluation_samples` the K of the final metrics.
    `preset` is a named set of settings that `hyperparameters` override, such as `authors`. `output`
    is the folder for the record and the checkpoint; if the training is interrupted, the same call
    continues it from there, and one with more epochs or another evaluation goes on from what it
    holds. With None, nothing is written. `device` is `auto`, `cpu` or `cuda`. `threads` is the
    number of CPU threads, None for all. `watch` is called after every epoch; `working` shows other
    steps that take time; `warn` is called with a line for each setting that never acts, because the
    training is too short, and for each thing that was decided in reading the data. Raises
    `InputError` for a hyperparameter that is unknown, out of range or not used by the method, for
    unusable data, and if the folder holds another trial or the folders of trials, as the storage of
    a study does.
    """
    check_least(1, replicates=replicates, threads=threads)
    method = str(hyperparameters.get("method", Hyperparameters.method))
    under = {} if preset is None else preset_named(preset).of_method(method)
    settings = Hyperparameters.from_mapping({**under, **hyperparameters})
    settings.refuse_unread(hyperparameters)
    for line in inert_settings(settings):
        warn(line)
    data = dataset if isinstance(dataset, Dataset) else read_dataset(str(dataset), working)
    for line in data.notes:
        warn(line)
    with working("starting"):
        from gmm_study.trials.config import TrialConfig
        from gmm_study.trials.once import run_once

    config = TrialConfig(settings, data.name, data.sha256)
    folder = None if output is None else _local_folder(str(output))
    return TrainedTrial(config, run_once(config, data, replicates, folder, device, threads, watch))


def _local_folder(output: str) -> Path:
    """Raise `InputError` for the address of a bucket, into which only a study can train."""
    from gmm_study.storage.file_systems import ADDRESS

    if ADDRESS.match(output):
        raise InputError(
            f"output: '{output}' must be a folder of this machine; "
            "a study trains into a bucket: gmm-study run NAME --storage s3://BUCKET/results"
        )
    return Path(output)


@dataclass(frozen=True)
class Annealing:
    """How certified intervals are made (docs/explanation/certified.md).

    `chains` is the number of chains for each datapoint. The number of steps of a chain grows from
    round to round up to `steps`, until the intervals are at most `tolerance` nats wide.
    """

    chains: int = CHAINS
    steps: int = STEPS
    tolerance: float = TOLERANCE


@dataclass(frozen=True)
class Evaluation:
    """The metrics of a checkpoint.

    Each row of `figures` has `replicate`, `samples` (K, or `exact`) and the metrics, each with its
    standard error over datapoints as `..._se`. They are in nats, except `ess` and `ess_star`, which
    are fractions of K; a value that is not finite is None. With K of at least 4, `log_p_gap` is
    what `log_p` gains from half of the samples to all of them, and `log_p_bias_lower` and
    `log_p_bias_upper` are the 95 percent interval of what it is still too low by (None if there is
    no upper limit).
    """

    checkpoint: str
    method: str
    dataset: str
    split: str
    datapoints: int
    z_samples: int
    seed: int
    diverged: list[int]
    """The replicates that are left out because they diverged."""
    figures: list[dict[str, Any]]
    not_exact: str | None = None
    """Why some or all exact values are missing; None if none is missing or none was requested."""
    certified: list[dict[str, Any]] = field(default_factory=list)
    """With `certify`, a row for each replicate with the limits of its intervals, in nats.

    They are explained in `gmm_study.trials.certification.Certification`. `NAME_outside` is how far
    the estimate with `samples`, the largest K, is above the interval or, if negative, below it.
    """

    def frame(self) -> "pd.DataFrame":
        """The metrics, a row for each replicate and K."""
        import pandas as pd

        return pd.DataFrame(self.figures)


def evaluate(
    checkpoint: Path | str,
    evaluation_samples: Sequence[int] = SAMPLES,
    *,
    z_samples: int = Z_SAMPLES,
    split: str = "test",
    dataset: str | None = None,
    datapoints: int | None = None,
    exact: bool = False,
    certify: bool | Annealing = False,
    replicate: int | None = None,
    seed: int = 0,
    chunk_rows: int = CHUNK_ROWS,
    device: str = "auto",
    threads: int | None = None,
    working: Working = silently,
    bar: Bar = without_bar,
    warn: Callable[[str], None] = warn_user,
) -> Evaluation:
    """Estimate log p, log p* and 2 log Z of a trained model, in nats.

    `checkpoint` is the record of a trial, the folder `checkpoint` in it, or the name of a model
    that comes with the project (`shipped_models`). `evaluation_samples` lists the values of K, the
    number of samples per datapoint; `z_samples` is the number of samples for 2 log Z, 0 to omit it.
    `dataset` names data other than those of the training. `datapoints` limits the evaluation to the
    first rows of the split (None for all), `replicate` to the replicate of this index (None for
    all). `exact` adds the exact values by enumeration, if the model has at most 2^22 states;
    `certify` adds intervals by annealing. `chunk_rows` bounds the memory: it is the number of
    sample rows (datapoints times samples) in memory at a time. `warn` is called with a line for
    each thing that was decided in reading the data. Raises `InputError` if there is no checkpoint,
    if the dimensions of the data do not fit, and for a number that is out of range.
    """
    check_counts("evaluation_samples", evaluation_samples)
    _check_z_samples(z_samples)
    check_least(1, datapoints=datapoints, chunk_rows=chunk_rows, threads=threads)
    check_least(0, seed=seed, replicate=replicate)
    annealing = _annealing_of(certify)
    opened, chosen = open_trained(str(checkpoint), device, threads, working)
    import torch

    from gmm_study.trials.assessment import Assessment
    from gmm_study.trials.certification import refuse_unusable

    if annealing is not None:
        refuse_unusable(opened)
    loaded = dataset_of(opened, dataset, working, warn)
    rows = torch.from_numpy(rows_of(loaded, split, datapoints)[:datapoints]).to(chosen)
    replicates = opened.usable_replicates() if replicate is None else (replicate,)
    z_samples = z_samples if opened.has_p_star else 0
    counts = tuple(dict.fromkeys(evaluation_samples))
    asked = Assessment(opened, rows, replicates, counts, z_samples, seed, chunk_rows)
    figures, not_exact, certified = _figures(asked, exact, annealing, bar)
    diverged = list(opened.diverged) if replicate is None else []
    facts = opened.method, loaded.name, split, len(rows), z_samples, seed, diverged
    return Evaluation(str(opened.folder), *facts, figures, not_exact, certified)


def check_least(least: int, **numbers: int | None) -> None:
    """Raise `InputError` for a number that is smaller; None, for the default, is not."""
    for name, number in numbers.items():
        if number is not None and number < least:
            raise InputError(f"{name}: {number} must be at least {least}")


def check_counts(name: str, counts: Sequence[int]) -> None:
    """Raise `InputError` for a list of K that is empty or has anything but whole numbers from 1."""
    for count in counts:
        if not isinstance(count, int) or count < 1:
            raise InputError(f"{name}: {count!r} must be a whole number of at least 1")
    if not counts:
        raise InputError(f"{name}: empty; give at least one K, such as 1000")


def _annealing_of(certify: bool | Annealing) -> Annealing | None:
    """How to certify, if that was requested. Raises `InputError` for a number out of range."""
    if certify is False:
        return None
    annealing = Annealing() if certify is True else certify
    check_least(1, chains=annealing.chains, steps=annealing.steps)
    if not annealing.tolerance >= 0.0:
        raise InputError(f"tolerance: {annealing.tolerance} must be a number of nats of at least 0")
    return annealing


def _check_z_samples(z_samples: int) -> None:
    if z_samples == 1 or z_samples < 0:
        raise InputError(f"z_samples: {z_samples} must be at least 2, or 0 to omit 2 log Z")


def _figures(
    asked: "Assessment", exact: bool, annealing: Annealing | None, bar: Bar
) -> tuple[list[dict[str, Any]], str | None, list[dict[str, Any]]]:
    """The rows, with the exact values last, why some of these are missing, and the intervals."""
    with bar("evaluating", asked.sample_rows) as advance:
        estimates = asked.estimates(advance)
    truth, reason = list[dict[str, Any]](), None
    if exact:
        with bar("summing over all states", None):
            truth, reason = asked.exact()
    figures = [*estimates, *truth]
    intervals = [] if annealing is None else _intervals(asked, annealing, figures, bar)
    return figures, reason, intervals


def _intervals(
    asked: "Assessment", annealing: Annealing, estimates: list[dict[str, Any]], bar: Bar
) -> list[dict[str, Any]]:
    """A row for each replicate, with the limits and what is outside: exact, or of the largest K."""
    from gmm_study.trials.assessment import EXACT
    from gmm_study.trials.certification import Certification, outside

    settings = annealing.chains, annealing.steps, annealing.tolerance
    wanted = Certification(
        asked.checkpoint, asked.data, asked.replicates, *settings, asked.seed, asked.chunk_rows
    )
    with bar("annealing", wanted.most_work) as advance:
        rows = wanted.rows(advance)
    order = sorted(estimates, key=lambda row: inf if row["samples"] == EXACT else row["samples"])
    best = {row["replicate"]: row for row in order}
    pairs = [(row, best[row["replicate"]]) for row in rows]
    return [{**row, "samples": own["samples"], **outside(own, row)} for row, own in pairs]


def shipped_models() -> dict[str, Path]:
    """The folders of the trained models that come with the project, by the model's name."""
    package = find_spec("analysis")  # where it is; importing it would take a second
    places = package.submodule_search_locations if package else None
    folders = [folder for place in places or () for folder in Path(place).glob("models/*")]
    return {folder.name: folder for folder in sorted(folders)}


def open_trained(
    path: str, device: str, threads: int | None, working: Working = silently
) -> "tuple[Checkpoint, str]":
    """The checkpoint in a folder, and the device to use; also sets the number of threads.

    If there is no such folder, `path` may be the name of a model that comes with the project.
    Raises `InputError` if there is no checkpoint or no such device.
    """
    if "://" not in path and not Path(path).exists():
        shipped, name = shipped_models(), path.rstrip("/")
        if name not in shipped and Path(name).name == name:
            raise InputError(
                f"checkpoint: '{path}' is neither a folder with a trained model nor the name of "
                f"one that comes with gmm-study; {did_you_mean(name, shipped)}"
            )
        path = str(shipped.get(name, path))
    with working("opening the checkpoint"):
        import torch

        from gmm_study.training.checkpoint import open_checkpoint
        from gmm_study.trials.once import choose_device
        from gmm_study.trials.stored import open_stored

        opened = open_stored(path) if "://" in path else open_checkpoint(path)
        chosen = choose_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    return opened, chosen


def dataset_of(
    checkpoint: "Checkpoint",
    name: str | None,
    working: Working = silently,
    warn: Callable[[str], None] = warn_user,
) -> "Dataset":
    """The named data set, or the one that the model was trained on; `warn` is told its notes.

    Raises `InputError` if the dimensions do not fit, or if the data of the training have changed.
    """
    loaded = read_dataset(name or checkpoint.dataset_name, working)
    for line in loaded.notes:
        warn(line)
    if loaded.dims != checkpoint.data_dims:
        dims = f"{loaded.dims} dims; the model has {checkpoint.data_dims}"
        raise InputError(f"dataset: '{loaded.name}' has {dims}")
    if name is None and loaded.sha256 != checkpoint.dataset_sha256:
        raise InputError(
            f"dataset: '{loaded.name}' has changed since the model was trained on it; "
            "to use it anyway, name it with --dataset"
        )
    return loaded


def rows_of(dataset: "Dataset", split: str, datapoints: int | None) -> "NDArray[uint8]":
    """A split, `[N, D]`. Raises `InputError` if it has fewer than `datapoints` rows."""
    if split not in SPLITS:
        raise InputError(f"split: '{split}' must be one of {', '.join(SPLITS)}")
    rows: NDArray[uint8] = getattr(dataset, split)
    if datapoints is not None and datapoints > len(rows):
        most = f"{len(rows)}, all of '{split}'"
        raise InputError(f"datapoints: {datapoints} must be at most {most}")
    return rows
