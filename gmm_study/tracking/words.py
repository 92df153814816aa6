"""The names of MLflow's tags, metrics and params, and their meanings."""

KIND, TRIAL, REPLICATE = "kind", "trial", "replicate"
VARIANTS, DECLARED = "variants", "declared"
BEST_OF_CELL, BEST_OF_METHOD = "best_of_cell", "best_of_method"
BEST_BOUND = "valid/best_bound"
MEAN_CURVES = ("train/bound", "valid/bound")
"""The curves whose mean over replicates is logged to a trial's run."""

TAGS = {
    "study": "name of the study",
    "trial_id": "id of the trial, which names its record",
    KIND: f"`{TRIAL}` or `{REPLICATE}`",
    "replicate": "number of the replicate, on a replicate's run alone",
    "state": "`pending`, `running`, `complete`, `diverged`, `failed` or `stopped`",
    "rest": "where a trial's wanted replicates have ended, the state of others, if there are any",
    "error": "why a trial failed",
    "replicates": "the replicates that have ended, as `0,1,2`",
    VARIANTS: f"the variants of the study that have the trial, as `|{DECLARED}|small|`; "
    f"`{DECLARED}` is the file as it is, and a blank stands for each `_` in a name",
    BEST_OF_CELL: "the variants in which it is the best trial of its data set, method and x",
    BEST_OF_METHOD: "the variants in which it is the best trial of its data set and method; "
    "of none where `samples` or `bound` is swept, as bounds do not compare then",
    "dataset_sha256": "checksum of the data",
    "git_commit": "commit of the code that made the figures",
    "versions": "of Python and the packages that made the figures",
    "machine": "the kind of machine that made the figures",
    "finished": "when the last replicates ended, in seconds since 1970",
    "mlflow.note.content": "of a trial's run, what it is and found, with its pictures",
}
"""Tags of runs."""

METRICS = {
    "train/bound": "bound on the training data against the epoch, nats (replicates)",
    "valid/bound": "bound on the validation data, nats: against the epoch (replicates); "
    "mean over complete replicates of each one's best (trials), by which trials are selected",
    "valid/log_p": "log p of the validation data against the epoch, nats (replicates)",
    "valid/ess": "effective sample size on the validation data against the epoch (replicates)",
    BEST_BOUND: "bound on the validation data at the best epoch, nats (replicates)",
    "test/NAME": "final figures on the test data (replicates); their mean (trials)",
    "NAME_se": "standard error: over datapoints (replicates), over replicates (trials)",
    "mean_of_R/train_bound": "`train/bound` against the epoch, its mean over the R complete "
    "replicates as long as all of them were trained (trials)",
    "mean_of_R/valid_bound": "the same of `valid/bound` (trials)",
    "epochs": "epochs trained (replicates)",
    "best_epoch": "epoch of the parameters that were kept (replicates)",
    "seconds": "time trained (replicates)",
}
"""Metrics of runs; brackets say whether replicates or trials have them."""

PARAMS = {
    "dataset": "name of the data set",
    "depth": "number of latent layers",
    "layers": "their units from the data up, as `48,24,12`",
    "SETTING": "every other setting that the configuration reads, defaults resolved",
}
"""Params of runs, equal for a trial and its replicates."""


def mean_curve_name(curve: str, replicates: int) -> str:
    """The name of a curve's mean over this number of replicates; all are in one section.

    The number is part of the name, because a logged point cannot be changed when there are more.
    """
    return f"mean_of_{replicates}/{curve.replace('/', '_')}"
