"""Small trials that tests run to their end, and the figures of their records."""

from dataclasses import replace

from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record
from gmm_study.trials.result import ReplicateResult
from gmm_study.trials.run import TrialRun
from tests.training.small import a_dataset, some_hyperparameters

DATA = a_dataset()


def a_config(**settings) -> TrialConfig:
    return TrialConfig(some_hyperparameters(**settings), DATA.name, DATA.sha256)


def finish(run: TrialRun) -> TrialRun:
    for _ in range(200):
        if run.finished:
            return run
        run.advance()
    raise AssertionError("the trial comes to no end")


def final_figures(record: Record) -> dict[int, ReplicateResult]:
    """The replicates' results but for what the clock says."""
    return {
        number: replace(replicate, seconds=0.0)
        for number, replicate in record.result().replicates.items()
    }
