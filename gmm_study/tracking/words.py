"""The names of MLflow's tags, metrics and params, and their meanings."""

KIND, TRIAL, REPLICATE = "kind", "trial", "replicate"
VARIANTS, DECLARED = "variants", "declared"
BEST_OF_CELL, BEST_OF_METHOD = "best_of_cell", "best_of_method"
BEST_BOUND = "valid/best_bound"
KEPT = "valid/kept_"
"""The name of a final validation figure begins so on the run of a replicate, on which `valid/NAME`
is a curve."""
MEAN_CURVES = ("train/bound", "valid/bound")
"""The curves whose mean over replicates is logged to a trial's run."""

TAGS = {
    "study": "name of the study",
    "trial_id": "id of the trial, which is the name of its record",
    KIND: f"`{TRIAL}` or `{REPLICATE}`",
    "replicate": "number of the replicate; only on the run of a replicate",
    "state": "`pending`, `running`, `complete`, `diverged`, `failed` or `stopped`",
    "ending": "why the training of a replicate ended: `converged`, `schedule`, `epochs`, `time` or "
    "`diverged`",
    "collapsed": "`true` if a replicate's model is no better than independent pixels",
    "kept": "which parameters are a replicate's model: `raw` or `averaged`",
    "rest": "the state of additional replicates, if the requested ones have ended",
    "error": "why a trial failed",
    "replicates": "the replicates that have ended, as `0,1,2`",
    VARIANTS: f"the variants of the study that include the trial, such as `|{DECLARED}|small|`; "
    f"`{DECLARED}` is the unchanged study file, and each `_` in a name is written as a blank",
    BEST_OF_CELL: "the variants in which it is the best trial of its data set, method and x",
    BEST_OF_METHOD: "the variants in which it is the best trial of its data set and method; "
    "none if bounds would decide and are not comparable, because `samples`, `bound` or `stages` is "
    "swept",
    "dataset_sha256": "checksum of the data",
    "git_commit": "git commit of the code that computed the metrics",
    "versions": "versions of Python and the packages that computed the metrics",
    "machine": "type of machine that computed the metrics",
    "finished": "time when the last replicates ended, in seconds since 1970",
    "mlflow.note.content": "description of a trial and its results, with images (trials)",
}
"""Tags of runs."""

METRICS = {
    "train/bound": "bound on the training data by epoch, in nats (replicates)",
    "train/learning_rate": "learning rate by epoch (replicates)",
    "train/seconds": "training time so far by epoch (replicates)",
    "valid/bound": "bound on the validation data, in nats: by epoch (replicates); the mean over "
    "complete replicates of their best bounds (trials)",
    "valid/log_p": "log p of the validation data, in nats: by epoch, with the K of training "
    "(replicates); the mean over complete replicates of that of their kept models, with the same K "
    "for all trials, by which trials are selected (trials)",
    "valid/ess": "effective sample size on the validation data by epoch (replicates)",
    "valid/independent": "log p of the validation data if all pixels were independent, in nats "
    "(trials)",
    "valid/rise": "slope of the validation criterion at the end of training, in nats per epoch "
    "(trials)",
    BEST_BOUND: "bound on the validation data at the best epoch, in nats (replicates)",
    f"{KEPT}NAME": "figures of the kept model on the validation data, in nats (replicates); their "
    "means are `valid/NAME` (trials)",
    "test/NAME": "final metrics on the test data (replicates); their means (trials)",
    "NAME_se": "standard error: over datapoints (replicates) or over replicates (trials)",
    "mean_of_R/train_bound": "mean of `train/bound` over the R complete replicates, by epoch, "
    "up to the last epoch that all of them reached (trials)",
    "mean_of_R/valid_bound": "the same for `valid/bound` (trials)",
    "epochs": "number of epochs trained (replicates)",
    "best_epoch": "epoch whose parameters were kept (replicates)",
    "seconds": "training time (replicates)",
}
"""Metrics of runs; brackets say whether replicates or trials have them."""

PARAMS = {
    "dataset": "name of the data set",
    "depth": "number of latent layers",
    "layers": "sizes of the latent layers from the data up, such as `48,24,12`",
    "SETTING": "every other setting that the method uses, including defaults",
}
"""Params of runs, equal for a trial and its replicates."""


def mean_curve_name(curve: str, replicates: int) -> str:
    """The name of a curve's mean over this number of replicates; all are in one section.

    The number is part of the name, because a logged point cannot be changed when there are more.
    """
    return f"mean_of_{replicates}/{curve.replace('/', '_')}"


def final_name(figure: str) -> str:
    """The name of a replicate's final figure in MLflow, such as `valid/kept_log_p`."""
    if figure == "valid/bound":
        return BEST_BOUND
    return figure.replace("valid/", KEPT, 1) if figure.startswith("valid/") else figure


def figure_of(name: str) -> str | None:
    """The final figure that a replicate's metric in MLflow is; None for any other metric."""
    if name == BEST_BOUND:
        return "valid/bound"
    if name.startswith(KEPT):
        return name.replace(KEPT, "valid/", 1)
    return name if name.startswith("test/") else None
