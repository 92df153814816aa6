"""Defaults that the functions and the options of the command line share."""

from gmm_study.trials.asked_gradients import (
    DATAPOINTS,
    DRAWS,
    LEAST_DRAWS,
    STEP_SAMPLES,
    TARGET_SAMPLES,
)
from gmm_study.trials.margin import MARGIN

__all__ = [
    "CHAINS",
    "CHUNK_ROWS",
    "DATAPOINTS",
    "DATASET",
    "DIAGNOSED_DRAWS",
    "DIAGNOSED_ROWS",
    "DIAGNOSED_SAMPLES",
    "DRAWS",
    "LEAST_DIAGNOSED_ROWS",
    "LEAST_DRAWS",
    "MARGIN",
    "RESULTS",
    "SAMPLES",
    "STEPS",
    "STEP_SAMPLES",
    "TARGET_SAMPLES",
    "TOLERANCE",
    "Z_SAMPLES",
]

RESULTS = "results"
"""The storage, in the current folder."""
DATASET = "digits"
"""The data set of a trial without a study."""
SAMPLES = (1, 10, 100, 1000)
"""The values of K in an evaluation of a checkpoint."""
Z_SAMPLES = 100_000
"""The samples of p for 2 log Z in such an evaluation."""
CHUNK_ROWS = 4000
"""The rows (datapoints times samples) in memory at a time in such an evaluation."""
DIAGNOSED_ROWS, DIAGNOSED_SAMPLES, DIAGNOSED_DRAWS = 300, 1000, 400
"""Of a diagnosis: rows of each split at most, the large K, and gradient estimates."""
LEAST_DIAGNOSED_ROWS = 20
"""With fewer, the standard errors of means say little."""
CHAINS = 16
"""The chains of each datapoint for certified intervals."""
STEPS = 256
"""The most steps of a chain for certified intervals."""
TOLERANCE = 0.2
"""The width, in nats, at which certified intervals are narrow enough."""
