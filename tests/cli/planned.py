"""Trials of a study on a workbench, trained in this process, without Ray."""

from contextlib import chdir

from gmm_study.data import load_dataset
from gmm_study.study import load_study, make_plan
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.run import TrialRun


def open_runs(folder, *overrides, replicates=None):
    """A `TrialRun` of every trial of the study `tiny`, into its record."""
    with chdir(folder):
        study = load_study("tiny", overrides, False)
        datasets = {name: load_dataset(name) for name in study.datasets}
    plan = make_plan(study, {name: dataset.sha256 for name, dataset in datasets.items()})
    store = RecordStore(str(folder / "results"))
    wanted = range(replicates or study.replicates)
    return [
        TrialRun(
            trial.config,
            datasets[trial.config.dataset],
            wanted,
            store.record(trial.config.trial_id),
        )
        for trial in plan.trials
    ]


def finish(run):
    """Train a trial to its result."""
    while not run.finished:
        run.advance()


def train_all(folder, *overrides):
    """Train every trial of the study `tiny`."""
    for run in open_runs(folder, *overrides):
        finish(run)
