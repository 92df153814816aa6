"""Training a single trial to its result, from its first epoch or from its record."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from gmm_study.data import Dataset
from gmm_study.errors import InputError
from gmm_study.storage.reach import check_writable
from gmm_study.training.schedule import why_not_continued
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.continuable import limits_of
from gmm_study.trials.continuing import complete_exchange, exchange, goes_on_from, next_record
from gmm_study.trials.progress import Progress
from gmm_study.trials.record import Record
from gmm_study.trials.result import TrialResult
from gmm_study.trials.run import TrainedElsewhereError, TrialRun


def run_once(
    config: TrialConfig,
    dataset: Dataset,
    replicates: int,
    output: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> TrialResult:
    """Train and evaluate a trial, and return its result.

    The record is kept in `output`; if the folder already holds this trial, training continues from
    there. If it holds an earlier trial, whose training is the beginning of this one or all of it,
    training goes on from that trial, which this one replaces when it is complete. `threads` is the
    number of CPU threads; it changes the results only by rounding. Raises `InputError` if `output`
    holds another trial or the folders of trials, or if the device is not available.
    """
    chosen = choose_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Record.at(str(output or scratch))
        complete_exchange(folder)
        earlier = _check_output(folder, config, replicates)
        record = next_record(folder, config) if earlier else folder
        try:
            run = TrialRun(
                config, dataset, range(replicates), record, chosen, patience=0.5, earlier=earlier
            )
        except TrainedElsewhereError:
            raise _busy(folder) from None
        try:
            while not run.finished:
                watch(run.advance())
        except BaseException:
            run.pause()
            raise
        if earlier:
            exchange(folder, record)
        held = folder.result()
        return held if held and held.trial_id == config.trial_id else run.result()


def _check_output(record: Record, config: TrialConfig, replicates: int) -> Record | None:
    """The record itself if it holds an earlier trial that this one continues, else None.

    Raises `InputError` if the trial cannot be trained in this folder.
    """
    try:
        held = record.config()
        earlier = record if goes_on_from(record, config) else None
        busy = record.trained_elsewhere()
    except (OSError, ValueError) as error:
        raise InputError(f"output: {error}; give another folder") from None
    if held is not None and held.trial_id != config.trial_id and earlier is None:
        raise InputError(
            f"output: '{record.path}' holds trial {held.trial_id} of another configuration"
            f"{_why_not_earlier(held, config)}; give another folder"
        )
    if held is None and (other := _trial_inside(Path(record.path))):
        raise InputError(
            f"output: '{record.path}' is a folder of trials, such as '{other}'; "
            f"give the trial a folder of its own, such as '{record.path}/{config.trial_id}'"
        )
    if busy:
        raise _busy(record)
    if earlier:
        _keep_replicates(record, replicates)
    if earlier or not record.state(replicates).has_result:
        check_writable(record, record.path)
    return earlier


def _why_not_earlier(held: TrialConfig, config: TrialConfig) -> str:
    """What keeps a trial from continuing one that only has lower limits; empty for any other."""
    pairs = zip(limits_of(held.hyperparameters), limits_of(config.hyperparameters), strict=True)
    if held.prefix_id != config.prefix_id or any(theirs > ours for theirs, ours in pairs):
        return ""
    reason = why_not_continued(held.hyperparameters)
    return f", which a longer trial cannot continue ({reason})" if reason else ""


def _keep_replicates(earlier: Record, replicates: int) -> None:
    """Raise `InputError` if the next trial with so many replicates would have fewer of them."""
    try:
        result = earlier.result()
    except ValueError:
        return
    held = 1 + max(result.replicates, default=0) if result else 0
    if held > replicates:
        raise InputError(
            f"replicates: {replicates} must be at least {held}, as many as '{earlier.path}' holds; "
            "or give another folder"
        )


def _trial_inside(folder: Path) -> str | None:
    """The name of a folder inside that is the record of a trial; None if there is none."""
    configs = folder.glob("*/config.json")
    names = (file.parent.name for file in configs if (file.parent / "status.json").exists())
    return min(names, default=None)


def _busy(record: Record) -> InputError:
    return InputError(f"output: '{record.path}' is being trained by another process; wait for it")


def choose_device(name: str) -> str:
    """`cpu` or `cuda`; `auto` chooses a GPU if there is one."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise InputError(f"device: '{name}' must be auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device: 'cuda' needs a GPU, but there is none; use cpu or auto")
    return name
