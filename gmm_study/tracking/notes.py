"""The notes on studies and trials in the MLflow UI, in Markdown, and the saved views of runs.

Links and pictures are relative to the address of the UI, so that they work behind any server.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

from gmm_study.tracking.account import Account
from gmm_study.tracking.lists import search_for
from gmm_study.tracking.mlflow_internals import (
    SAVED_VIEW,
    artifact_link,
    run_link,
    saved_view,
    view_link,
)
from gmm_study.tracking.words import (
    BEST_OF_CELL,
    BEST_OF_METHOD,
    DECLARED,
    KIND,
    TRIAL,
    VARIANTS,
)
from gmm_study.training.declared import CHANGES_THE_BOUND
from gmm_study.training.state import Ending
from gmm_study.trials.result import ReplicateResult
from gmm_study.trials.selection import SELECTION_METRICS, VALID_BOUND, VALID_LOG_P

MOST_ROWS = 12
"""The maximum number of rows in the table of best trials."""
LONGEST = 5_000
"""The maximum number of characters of a note. MLflow accepts 20,000 for an experiment and 8,000 for
a run, but its UI shows a note in full, and nobody reads that much."""
LONGEST_QUESTION = 1_000
BREAK = "\n\n"
PICTURES = {
    "pictures/samples.png": "samples of p",
    "pictures/samples_p_star.png": "samples of p*",
    "pictures/inpainting.png": "test images, upper halves completed by p*",
}


@dataclass(frozen=True)
class Facts:
    """The facts about a study that MLflow shows."""

    name: str
    question: str
    variant: str = ""
    command: str = ""
    """The command that runs the study; may be empty."""
    x: str | None = None
    """The x-axis of its report."""
    axes: tuple[str, ...] = ()
    """The names of the params in which its trials differ."""
    replicates: int = 1
    selected_by: tuple[str, ...] = (VALID_LOG_P,)
    """The metrics by which its trials are selected, the preferred one first."""

    @property
    def variant_name(self) -> str:
        """The name of the variant in tags."""
        return self.variant or DECLARED

    @property
    def swept_bounds(self) -> list[str]:
        """Why one method's trials, selected by bounds, are not comparable; empty if they are."""
        if VALID_BOUND not in self.selected_by:
            return []
        swept = {self.x, *self.axes}
        return [words for name, words in CHANGES_THE_BOUND.items() if name in swept]

    @property
    def report(self) -> str:
        """The folder of the report."""
        return "/".join(filter(None, ("reports", self.name, self.variant)))


class ReportCell(NamedTuple):
    """A cell of a study's report, in which trials compete."""

    dataset: str
    method: str
    x: str
    """The value on the report's x-axis."""


@dataclass(frozen=True)
class BestRow:
    """A row of the table of best trials."""

    dataset: str
    method: str
    run_id: str
    label: str
    value: float
    """What it was selected by, in nats."""
    selected_by: str = VALID_LOG_P


def study_note(facts: Facts, experiment_id: str, best: Sequence[BestRow]) -> str:
    """The description of a study's experiment; the UI shows its first line and hides the rest."""
    first = f"{asked(facts)} {_links(facts, experiment_id, best)}"
    others = [
        f"A run is a trial. The runs below it are its replicates, one per seed. {_along(facts)}"
        "Trials are chosen on validation data only, and within a method. They are compared by "
        f"{_criteria(facts)}, in nats, the mean over replicates. `valid/log_p` of a trial is log p "
        "under the kept models. `valid/bound` is the best validation bound, for records of older "
        "versions. Metrics `test/...` are for reporting.",
        f"{_how_to_find_the_best(facts)} "
        f"Trials chosen for the report: `{search_for(BEST_OF_CELL, facts.variant_name)}`. "
        "A trial is chosen only if all its replicates are complete; the note of a trial counts "
        "them. Trials that have ended with a complete replicate: `tags.state = 'complete'`.",
        f"Report: [{_escaped(facts.report)}/index.html]({quote(facts.report)}/index.html), a file "
        "in the study's folder. The link works in `gmm-study ui`.",
        f"Run it: `{facts.command}`" if facts.command else "",
    ]
    room = LONGEST - len(_joined([first, *others]))
    return _joined([first, _best_table(experiment_id, best, room - len(BREAK)), *others])


def asked(facts: Facts) -> str:
    """The study's question, shortened if it is too long for a note."""
    question = facts.question
    fits = len(question) <= LONGEST_QUESTION
    return question if fits else f"{question[: LONGEST_QUESTION - 1]}…"


def trial_note(
    label: str, trial_id: str, record: str, run_id: str, account: Account, pictures: Sequence[str]
) -> str:
    """The note on the run of a trial that has ended; `record` is the place of its record."""
    means = account.means()
    figures = [
        f"`{name}` {_with_error(means, name)}"
        for name in (*SELECTION_METRICS, "test/log_p", "test/bound")
        if name in means
    ]
    ended = [
        f"replicate {number}: {_ended(each)}, best epoch {each.best_epoch} of {each.epochs}"
        for number, each in account.ended.items()
    ]
    count = len(account.complete)
    lines = [
        f"**{_escaped(label)}**, trial `{trial_id}`, {account.state}: "
        f"{count} of {len(account.ended)} replicates complete.",
        f"{'; '.join(figures)} (nats, mean ± standard error over replicates)." if figures else "",
        " ".join(f"![{PICTURES[name]}]({artifact_link(run_id, name)})" for name in pictures),
        f"Pictures: {', '.join(PICTURES[name] for name in pictures)}." if pictures else "",
        "; ".join(ended) + ".",
        f"Record: `{record}`.",
    ]
    return _joined(lines)


def _ended(replicate: ReplicateResult) -> str:
    """`complete (converged)`, or its state alone where that says why, or the record does not."""
    words = ", ".join(replicate.how_it_ended)
    known = words and replicate.ending is not Ending.DIVERGED
    return f"{replicate.state} ({words})" if known else str(replicate.state)


def saved_views(facts: Facts, created: int) -> dict[str, str]:
    """The tags of an experiment that define views of its runs; `created` is in milliseconds."""
    best = BEST_OF_CELL if facts.swept_bounds else BEST_OF_METHOD
    here = search_for(best, facts.variant_name)
    trials = f"tags.{KIND} = '{TRIAL}' and {search_for(VARIANTS, facts.variant_name)}"
    return {
        f"{SAVED_VIEW}best": _view(_best_called(facts).capitalize(), here, facts, created),
        f"{SAVED_VIEW}trials": _view("Trials, best on validation first", trials, facts, created),
    }


def _criteria(facts: Facts) -> str:
    return " or ".join(f"`{name}`" for name in facts.selected_by or SELECTION_METRICS[:1])


def _best_called(facts: Facts) -> str:
    return "chosen for the report" if facts.swept_bounds else "best trial of every method"


def _how_to_find_the_best(facts: Facts) -> str:
    if facts.swept_bounds:
        return (
            f"Trials differ in {' and '.join(facts.swept_bounds)}. Their bounds therefore do not "
            "compare, and no trial is called the best of its method."
        )
    return f"Best trial of each method: `{search_for(BEST_OF_METHOD, facts.variant_name)}`."


def _view(name: str, search: str, facts: Facts, created: int) -> str:
    params = dict.fromkeys(("dataset", "method", *facts.axes))
    first = (facts.selected_by or SELECTION_METRICS[:1])[-1]  # the one that all of them have
    metrics = (first, f"{first}_se", "test/log_p", "test/log_p_se")
    columns = [
        *(f"metrics.`{metric}`" for metric in metrics),
        *(f"params.`{param}`" for param in params),
        "tags.`state`",
    ]
    return saved_view(name, search, first, columns, created)


def _links(facts: Facts, experiment_id: str, best: Sequence[BestRow]) -> str:
    links = {
        _best_called(facts): view_link(experiment_id, "best"),
        "trials": view_link(experiment_id, "trials"),
        "curves": view_link(experiment_id, "trials", compareRunsMode="CHART"),
    }
    if len({row.dataset for row in best}) == 1:
        links = {
            f"best {_escaped(row.method)}": run_link(experiment_id, row.run_id)
            for row in best[:MOST_ROWS]
        } | links
    return " · ".join(f"[{name}]({link})" for name, link in links.items())


def _along(facts: Facts) -> str:
    return f"The report runs along `{facts.x}`. " if facts.x else ""


def _best_table(experiment_id: str, best: Sequence[BestRow], room: int) -> str:
    """The table, with as many rows as fit into `room` characters; empty if none fits."""
    table = "| data | method | best trial | on validation |\n|---|---|---|---|"
    rows = 0
    for row in best[:MOST_ROWS]:
        data, method, label = map(_escaped, (row.dataset, row.method, row.label))
        link = f"[{label}]({run_link(experiment_id, row.run_id)})"
        longer = f"{table}\n| {data} | {method} | {link} | `{row.selected_by}` {row.value:.3f} |"
        if len(longer) <= room:
            table, rows = longer, rows + 1
    return table if rows else ""


def _joined(paragraphs: Sequence[str]) -> str:
    """The non-empty paragraphs; the last ones are dropped if the note would be too long."""
    kept = list(filter(None, paragraphs))
    while len(kept) > 1 and len(BREAK.join(kept)) > LONGEST:
        kept.pop()
    return BREAK.join(kept)[:LONGEST]


def _escaped(text: str) -> str:
    """A text as Markdown that displays it literally, also in a table cell and in a link."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_~|\[\]])", r"\\\1", plain)


def _with_error(means: Mapping[str, Any], name: str) -> str:
    error = means.get(f"{name}_se")
    return f"{means[name]:.3f}" + ("" if error is None else f" ± {error:.3f}")
