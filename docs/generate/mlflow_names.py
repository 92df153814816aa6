"""The page of what MLflow has of a study, from the words that the view is written with."""

from docs.generate.markdown import code, prose, table

HEAD = """# Names in MLflow

<!-- Written by `make docs`; do not edit. -->

MLflow is a view of the records: `make ui` shows it. One experiment a study, one run a trial, and
below it one nested run a replicate; a trial's run is called as in `gmm-study plan`. The store is
`sqlite:///mlflow.db`, with artifacts in `mlartifacts/STUDY`, unless `MLFLOW_TRACKING_URI` names
another. `gmm-study sync NAME` adds what it lacks; nothing is there twice. The variants of a study
(`--set`, `--dataset`, `--small`) are runs of the same experiment.
"""
METRICS_HEAD = """Final figures are those of a replicate's best epoch, and of a trial their means.
`test/NAME` stands for [the test figures of a record](records.md#resultjson), all in nats but `ess`
and `ess_star`. The step of a trial's means counts its replicates. The clock of metrics means
nothing: it is the run's start plus the step, so that what is said twice is one entry.
"""
PARAMS_HEAD = "SETTING is any of [the settings](study-file.md#settings).\n"
STATUS_HEAD = "MLflow has words of its own for the state of a trial.\n"
ARTIFACTS_HEAD = "Of a trial's run, as far as [its record](records.md) has them.\n"


def mlflow_names() -> str:
    """The text of the page."""
    from gmm_study.tracking.account import STATUS
    from gmm_study.tracking.runs import ARTIFACTS
    from gmm_study.tracking.words import METRICS, PARAMS, TAGS

    parts = [HEAD]
    named = (("Params", PARAMS_HEAD, PARAMS), ("Metrics", METRICS_HEAD, METRICS))
    for title, lead, words in (*named, ("Tags", "", TAGS)):
        rows = [(code(name), prose(text)) for name, text in words.items()]
        parts += [f"## {title}\n", lead, table(("name", "what"), rows)]
    states = [(code(state), status) for state, status in STATUS.items()]
    parts += ["## Status\n", STATUS_HEAD, table(("state", "status"), states)]
    files = [(code(name), "") for name in ARTIFACTS]
    parts += ["## Artifacts\n", ARTIFACTS_HEAD, table(("file", ""), files)]
    return "\n".join(filter(None, parts))
