"""Small trials, trained to their end, that others go on from."""

import safetensors.numpy

from gmm_study.trials.run import TrialRun
from tests.trials import runs
from tests.trials.runs import DATA, final_figures, finish
from tests.workbench import curves

SHORT, LONG = 4, 7


def a_config(max_epochs=SHORT, **settings):
    return runs.a_config(max_epochs=max_epochs, **settings)


def trained(store, config, replicates=2, **options):
    """The record of a trial in a store, trained to its end."""
    record = store.record(config.trial_id)
    finish(TrialRun(config, DATA, range(replicates), record, **options))
    return record


def content(record):
    """All that a record holds but for what the clock says."""
    files = {name: record.read_file(f"checkpoint/{name}") for name in ("meta.json",)}
    tensors = safetensors.numpy.load(record.read_file("checkpoint/model.safetensors"))
    model = {name: tensor.tobytes() for name, tensor in tensors.items()}
    return final_figures(record), curves(record), files, model
