"""The work of a training, from one epoch to another, over all its stages."""

from gmm_study.data import Dataset
from gmm_study.estimates.cost import Workload, epoch_work
from gmm_study.training.hyperparameters import Hyperparameters


def training_work(settings: Hyperparameters, data: Dataset, start: float, end: float) -> float:
    """Nominal seconds of one replicate from epoch `start` to `end`, both counted over all stages.

    Each stage is counted with its own K and batch size, and with as many epochs as it allows.
    """
    work, before = 0.0, 0
    for stage in settings.stage_list:
        after = before + stage.max_epochs
        epochs = min(end, after) - max(start, before)
        if epochs > 0:
            work += epochs * epoch_work(Workload.of(stage, data))
        before = after
    return work
