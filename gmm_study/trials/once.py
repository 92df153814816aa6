"""Training a single trial to its result, from its first epoch or from its record."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from gmm_study.data import Dataset
from gmm_study.errors import InputError
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record
from gmm_study.trials.result import TrialResult
from gmm_study.trials.run import Progress, TrainedElsewhereError, TrialRun


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
    there. `threads` is the number of CPU threads; it changes the results only by rounding. Raises
    `InputError` if `output` holds another trial or the folders of trials, or if the device is not
    available.
    """
    chosen = choose_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as scratch:
        record = Record.at(str(output or scratch))
        _check_output(record, config, replicates)
        try:
            run = TrialRun(config, dataset, range(replicates), record, chosen, patience=0.5)
        except TrainedElsewhereError:
            raise _busy(record) from None
        if run.finished:
            return record.result() or run.result()
        try:
            while not run.finished:
                watch(run.advance())
        except BaseException:
            run.pause()
            raise
        return run.result()


def _check_output(record: Record, config: TrialConfig, replicates: int) -> None:
    try:
        held = record.config()
        busy = record.trained_elsewhere()
    except (OSError, ValueError) as error:
        raise InputError(f"output: {error}; give another folder") from None
    if held is not None and held.trial_id != config.trial_id:
        raise InputError(
            f"output: '{record.path}' holds trial {held.trial_id} of another configuration; "
            "give another folder"
        )
    if held is None and (other := _trial_inside(Path(record.path))):
        raise InputError(
            f"output: '{record.path}' is a folder of trials, such as '{other}'; "
            f"give the trial a folder of its own, such as '{record.path}/{config.trial_id}'"
        )
    if busy:
        raise _busy(record)
    if not record.state(replicates).has_result:
        record.check_writable()


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
