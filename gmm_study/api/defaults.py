"""Defaults that the functions and the options of the command line share."""

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
STEP_SAMPLES = (1, 2, 5, 10, 50)
"""The values of K of the gradients that are assessed."""
DRAWS, LEAST_DRAWS = 400, 40
"""Gradient estimates of each kind; at least two for each of the blocks of the jackknife."""
DATAPOINTS = 100
"""The batch of the gradients that are assessed."""
TARGET_SAMPLES = 1000
"""K of the gradients that others are compared with, of a model without an exact one."""
DIAGNOSED_ROWS, DIAGNOSED_SAMPLES, DIAGNOSED_DRAWS = 300, 1000, 400
"""Of a diagnosis: rows of each split at most, the large K, and gradient estimates."""
MARGIN = 0.2
"""What matters in a diagnosis, in nats; that of a study is its `report.margin`."""
