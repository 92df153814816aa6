"""What the MLflow UI says of a study and of a trial, in Markdown, and the views of a study's runs.

Links and pictures are relative to the address of the UI, so that they hold behind any server.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from gmm_study.tracking.account import Account
from gmm_study.tracking.words import (
    BEST_OF_CELL,
    BEST_OF_METHOD,
    DECLARED,
    KIND,
    TRIAL,
    VARIANTS,
)

SHARED_VIEW = "mlflow.sharedViewState."
"""How the tags of an experiment begin in which the MLflow UI keeps views of its runs."""
MOST_ROWS = 12
"""Of the table of best trials: MLflow takes 5,000 characters."""
PICTURES = {
    "pictures/samples.png": "samples of p",
    "pictures/samples_p_star.png": "samples of p*",
    "pictures/inpainting.png": "test images, upper halves completed by p*",
}
_MACHINE_LEARNING = {"workflowType": "machine_learning"}
"""Without which the MLflow UI shows a study's runs as evaluations of a language model."""


@dataclass(frozen=True)
class Facts:
    """What the view has to know of a study."""

    name: str
    question: str
    variant: str = ""
    command: str = ""
    """That runs it; may be empty."""
    x: str | None = None
    """The axis of its report."""
    axes: tuple[str, ...] = ()
    """The params in which its trials differ."""
    replicates: int = 1

    @property
    def variant_name(self) -> str:
        """The variant as tags have it."""
        return self.variant or DECLARED

    @property
    def report(self) -> str:
        """The folder of its report."""
        return "/".join(filter(None, ("reports", self.name, self.variant)))


@dataclass(frozen=True)
class BestRow:
    """A line of the table of best trials."""

    dataset: str
    method: str
    run_id: str
    label: str
    bound: float
    """The mean validation bound, nats."""


def study_note(facts: Facts, experiment_id: str, best: Sequence[BestRow]) -> str:
    """The description of a study's experiment, of which the UI shows one line until asked."""
    lines = [
        f"{facts.question} {_links(experiment_id, best)}",
        _best_table(experiment_id, best),
        f"A run is a trial, the runs below it are its replicates, a seed each. {_along(facts)}"
        "`valid/bound` of a trial is the mean over its replicates of the best validation bound, "
        "in nats; trials are chosen by it alone, within a method, as each has a bound of its own. "
        "`test/...` is for reporting.",
        "The best trial of a method: sort by `valid/bound` and search for "
        f"`tags.{KIND} = '{TRIAL}' and params.method = 'gmm'`. "
        f"Those chosen for the report: `tags.{BEST_OF_CELL} LIKE '%{facts.variant_name}%'`.",
        f"Report: [{facts.report}/index.html]({quote(facts.report)}/index.html), a file of the "
        "study's folder; the link holds in `gmm-study ui`.",
        f"Run it: `{facts.command}`" if facts.command else "",
    ]
    return "\n\n".join(filter(None, lines))


def trial_note(
    label: str, trial_id: str, record: str, run_id: str, told: Account, pictures: Sequence[str]
) -> str:
    """The note on the run of a trial that has ended; `record` says where that is."""
    means = told.means()
    figures = [
        f"`{name}` {_with_error(means, name)}"
        for name in ("valid/bound", "test/log_p", "test/bound")
        if name in means
    ]
    ended = [
        f"replicate {index}: {fields['state']}, best epoch {fields['best_epoch']}"
        + (f" of {fields['epochs']}" if "epochs" in fields else "")
        for index, fields in told.ended.items()
    ]
    count = len(told.complete)
    lines = [
        f"**{label}**, trial `{trial_id}`, {told.state}: {count} of {len(told.ended)} replicates "
        "complete.",
        f"{'; '.join(figures)} (nats, mean ± standard error over replicates)." if figures else "",
        " ".join(f"![{PICTURES[name]}]({_picture(run_id, name)})" for name in pictures),
        f"Pictures: {', '.join(PICTURES[name] for name in pictures)}." if pictures else "",
        "; ".join(ended) + ".",
        f"Record: `{record}`.",
    ]
    return "\n\n".join(filter(None, lines))


def saved_views(facts: Facts, created: int) -> dict[str, str]:
    """The tags of an experiment that make views of its runs; `created` is in milliseconds."""
    here = f"tags.{BEST_OF_METHOD} LIKE '%{facts.variant_name}%'"
    trials = f"tags.{KIND} = '{TRIAL}' and tags.{VARIANTS} LIKE '%{facts.variant_name}%'"
    return {
        f"{SHARED_VIEW}best": _view("Best trial of every method", here, facts, created),
        f"{SHARED_VIEW}trials": _view("Trials, best first", trials, facts, created),
    }


def _view(name: str, search: str, facts: Facts, created: int) -> str:
    params = dict.fromkeys(("dataset", "method", *facts.axes))
    metrics = ("valid/bound", "valid/bound_se", "test/log_p", "test/log_p_se")
    state = {
        "searchFilter": search,
        "orderByKey": "metrics.`valid/bound`",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [
            *(f"metrics.`{metric}`" for metric in metrics),
            *(f"params.`{param}`" for param in params),
            "tags.`state`",
        ],
    }
    envelope = {"name": name, "createdAt": created, "updatedAt": created}
    return json.dumps({**envelope, "state": json.dumps(state)})


def _links(experiment_id: str, best: Sequence[BestRow]) -> str:
    links = {
        "best of every method": _view_link(experiment_id, "best"),
        "trials": _view_link(experiment_id, "trials"),
        "curves": _view_link(experiment_id, "trials", compareRunsMode="CHART"),
    }
    if len({row.dataset for row in best}) == 1:
        links = {f"best {row.method}": _run_link(experiment_id, row.run_id) for row in best} | links
    return " · ".join(f"[{name}]({link})" for name, link in links.items())


def _along(facts: Facts) -> str:
    return f"The report runs along `{facts.x}`. " if facts.x else ""


def _best_table(experiment_id: str, best: Sequence[BestRow]) -> str:
    if not best:
        return ""
    lines = ["| data | method | best trial | mean validation bound |", "|---|---|---|---|"]
    for row in best[:MOST_ROWS]:
        link = _run_link(experiment_id, row.run_id)
        lines.append(f"| {row.dataset} | {row.method} | [{row.label}]({link}) | {row.bound:.3f} |")
    return "\n".join(lines)


def _run_link(experiment_id: str, run_id: str) -> str:
    return f"#/experiments/{experiment_id}/runs/{run_id}?{urlencode(_MACHINE_LEARNING)}"


def _view_link(experiment_id: str, view: str, **options: str) -> str:
    asked = {**_MACHINE_LEARNING, "viewStateShareKey": view, **options}
    return f"#/experiments/{experiment_id}/runs?{urlencode(asked)}"


def _picture(run_id: str, name: str) -> str:
    return f"get-artifact?{urlencode({'path': name, 'run_uuid': run_id})}"


def _with_error(means: Mapping[str, Any], name: str) -> str:
    error = means.get(f"{name}_se")
    return f"{means[name]:.3f}" + ("" if error is None else f" ± {error:.3f}")
