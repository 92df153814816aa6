"""Small trials, trained to their end, that others go on from."""

from dataclasses import replace

import safetensors.numpy

from gmm_study.trials.config import TrialConfig
from gmm_study.trials.run import TrialRun
from tests.training.small import (
    a_dataset,
    some_hyperparameters,
)
from tests.workbench import curves

DATA = a_dataset()

SHORT, LONG = 4, 7


def a_config(max_epochs=SHORT, **settings):
    chosen = some_hyperparameters(max_epochs=max_epochs, **settings)
    return TrialConfig(chosen, DATA.name, DATA.sha256)


def trained(store, config, replicates=2, **options):
    """The record of a trial in a store, trained to its end."""
    record = store.record(config.trial_id)
    run = TrialRun(config, DATA, range(replicates), record, **options)
    while not run.finished:
        run.advance()
    return record


def content(record):
    """All that a record holds but for what the clock says."""
    ended = record.result().replicates.items()
    replicates = {number: replace(each, seconds=0.0) for number, each in ended}
    files = {name: record.read_file(f"checkpoint/{name}") for name in ("meta.json",)}
    tensors = safetensors.numpy.load(record.read_file("checkpoint/model.safetensors"))
    model = {name: tensor.tobytes() for name, tensor in tensors.items()}
    return replicates, curves(record), files, model
