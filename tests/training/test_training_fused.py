"""Training with the fused loops learns what training in torch learns, on the same numbers."""

import pandas as pd

from gmm_study.models import fused
from gmm_study.training.trainer import Trainer
from tests.training.small import a_dataset, some_hyperparameters, train

SEEDS = 5


def validation_curves():
    settings = some_hyperparameters(method="rws", layers=(20, 10), max_epochs=20, patience=20)
    trainer = train(Trainer(settings, a_dataset(dims=30), range(SEEDS)))
    rows = [
        {"replicate": index, **row}
        for index, replicate in trainer.replicates.items()
        for row in replicate.curve
    ]
    frame = pd.DataFrame(rows).query("split == 'valid' and metric == 'bound'")
    return frame.pivot(index="epoch", columns="replicate", values="value")


def test_curves_of_five_seeds_agree_within_their_standard_errors():
    """For rws, whose steps use every loop: gmm draws no samples of p."""
    by_loops = validation_curves()
    with fused.switched_off():
        by_torch = validation_curves()
    error = ((by_loops.var(axis=1) + by_torch.var(axis=1)) / SEEDS) ** 0.5
    difference = (by_loops.mean(axis=1) - by_torch.mean(axis=1)).abs()
    assert (by_loops.iloc[-1] > by_loops.iloc[0]).all()  # it learns
    assert (difference < error).all()
