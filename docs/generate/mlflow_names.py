"""The reference of the names in MLflow, generated from `gmm_study.tracking.words`."""

from docs.generate.markdown import code, prose, table

HEAD = """# Names in MLflow

<!-- Written by `make docs`; do not edit. -->

MLflow is a view of the records; `make ui` opens it. There is one experiment per study, one run per
trial, and one nested run per replicate. The run of a trial has the name that `gmm-study plan`
shows. The default store is `sqlite:///mlflow.db`, with artifacts in `mlartifacts/STUDY`;
`MLFLOW_TRACKING_URI` names another one, such as [a server](../how-to/mlflow-server.md). `gmm-study
run NAME` keeps it up to date, and `gmm-study sync NAME` adds whatever is missing; neither
duplicates a run. The variants of a study (`--set`, `--dataset`, `--small`) are runs of the same
experiment.
"""
METRICS_HEAD = """The final metrics of a replicate are those of its best epoch; the final metrics of
a trial are the means over its replicates. `test/NAME` stands for [the test metrics of a
record](records.md#resultjson), all in nats except `ess` and `ess_star`. The step of a trial's final
metrics is its number of replicates. The timestamps of metrics have no meaning: they are the run's
start plus the step, so that logging a value twice creates a single entry.
"""
PARAMS_HEAD = "SETTING stands for any of [the settings](study-file.md#settings).\n"
STATUS_HEAD = "Every state of a trial is shown as one of the run statuses of MLflow.\n"
ARTIFACTS_HEAD = """The run of a trial has these files if [its record](records.md) has them.

A new experiment has its artifacts where its MLflow server puts them. Those of a database without a
server go to `ROOT/STUDY`, where ROOT is:

1. `MLFLOW_DEFAULT_ARTIFACT_ROOT`, a folder or an address such as `s3://BUCKET/mlflow`;
2. else, of a sqlite database, the folder `mlartifacts` beside it;
3. else the bucket in which MLflow's experiment `Default` has its artifacts, if it has them in one.

An experiment that exists keeps its place.
"""


def mlflow_names() -> str:
    """The text of the page."""
    from gmm_study.tracking.account import ARTIFACTS, STATUS
    from gmm_study.tracking.words import METRICS, PARAMS, TAGS

    parts = [HEAD]
    named = (("Params", PARAMS_HEAD, PARAMS), ("Metrics", METRICS_HEAD, METRICS))
    for title, lead, words in (*named, ("Tags", "", TAGS)):
        rows = [(code(name), prose(text)) for name, text in words.items()]
        parts += [f"## {title}\n", lead, table(("name", "description"), rows)]
    states = [(code(state), status) for state, status in STATUS.items()]
    parts += ["## Status\n", STATUS_HEAD, table(("state", "status"), states)]
    files = [(code(name), "") for name in ARTIFACTS]
    parts += ["## Artifacts\n", ARTIFACTS_HEAD, table(("file", ""), files)]
    return "\n".join(filter(None, parts))
