"""A report of a study with a screening selects among the confirmed trials alone."""

import json

import pytest

from analysis import find
from analysis.pages.protocol import protocol
from gmm_study.study import load_study, make_plan

SCREENED = {
    "replicates": 3,
    "space": {"learning_rate": {"choice": [1e-3, 2e-3, 4e-3, 8e-3]}},
    "search": {"kind": "random", "trials": 8, "screen": {"replicates": 1, "confirm": 2}},
}


SCREENED_ON_TWO = {**SCREENED, "datasets": ["digits", "bars"]}


class Chosen:
    """What the history of a search says about its choice."""

    proposals, earlier, is_over = (), 0, False

    def __init__(self, *confirmed):
        self.confirmed = confirmed

    def chosen(self, trial_ids):
        return self.confirmed

    def has_chosen(self, trial_ids):
        return bool(self.confirmed)


@pytest.fixture
def screened(lab, figures):
    """The plan of a study in which trials were confirmed; their validation figures by number.

    The trial that was screened best is not confirmed, as if the search had got it later. Of a
    second data set, if the study has one, there is no record.
    """

    def _screened(*numbers, of=SCREENED):
        first = lab.plan("screened", **of)
        trials = [trial for trial in first.trials if trial.config.dataset == "digits"]
        assert len(trials) >= 3
        for number, trial in enumerate(trials):
            one = figures(-20.0 - number, -21.0 - number)
            more = [figures(-20.0 - number + d, -21.0 - number + d) for d in (-0.1, 0.1)]
            lab.write(trial.config, one, *(more if number in numbers else []))
        chosen = [trials[number].config.trial_id for number in numbers]
        study = load_study(str(lab.folder / "screened.yaml"))
        checksums = {name: f"{name:0<64}" for name in study.datasets}
        of_digits = Chosen(*chosen)
        return make_plan(
            study, checksums, lambda cell: of_digits if cell.dataset == "digits" else Chosen()
        )

    return _screened


def test_a_table_has_a_confirmed_trial_although_another_was_screened_better(lab, screened):
    plan = screened(1, 2)
    found = find(plan, lab.store)
    (cell,) = found.cells[found.cells["metric"] == "test/log_p"].to_dict("records")
    assert cell["trial_id"] == plan.trials[1].config.trial_id
    assert (cell["n"], cell["trials"], cell["candidates"]) == (3, 2, 2)
    assert cell["mean"] == pytest.approx(-22.0)
    assert cell["mark"] == ""


def test_before_any_trial_is_confirmed_a_table_says_what_is_missing(lab, screened):
    plan = screened()
    found = find(plan, lab.store)
    (cell,) = found.cells[found.cells["metric"] == "test/log_p"].to_dict("records")
    assert cell["n"] == 0
    assert "1 of 3 replicates complete" in cell["mark"]
    assert "more trials are to be confirmed" in cell["mark"]


def test_only_the_choices_on_a_data_set_that_is_not_finished_are_provisional(lab, screened):
    found = find(screened(1, 2, of=SCREENED_ON_TWO), lab.store)
    more = "at most 2 trials are yet to be confirmed, so every choice of a trial on bars is"
    assert protocol(found)["still to come"] == f"{more} provisional."


def test_a_report_says_what_the_screening_cost_and_counts_its_trials_apart(
    lab, screened, report_of
):
    plan = screened(1, 2)
    count = len(plan.trials)
    report = report_of(plan)
    assert report.found.plan.confirmed == {
        plan.trials[1].config.trial_id,
        plan.trials[2].config.trial_id,
    }
    text = report.paths["table.md"].read_text()
    assert f"screening of {count} trials with 1 replicate each" in text
    assert "2 of these trials were then trained with 3 replicates, as the best of their" in text
    assert f"- trials: {count} trials: {count} complete; {count} replicates" in text
    assert "- confirmed trials: 2 trials: 2 complete; 6 replicates: 6 complete." in text
    summary = json.loads(report.paths["report.json"].read_text())
    assert summary["trials"] == {"complete": 2}
    assert f"Screened: {count} trials" in summary["summary"]


def test_trials_of_cells_in_which_none_was_confirmed_do_not_count_as_confirmed(
    lab, screened, report_of
):
    text = report_of(screened(1, 2, of=SCREENED_ON_TWO)).paths["table.md"].read_text()
    assert "- confirmed trials: 2 trials: 2 complete; 6 replicates: 6 complete." in text


def test_the_figures_of_a_search_show_all_trials_by_the_seeds_of_the_screening(lab, screened):
    plan = screened(1, 2)
    found = find(plan, lab.store)
    assert set(found.screened["trial_id"]) == {trial.config.trial_id for trial in plan.trials}
    assert set(found.screened["replicate"]) == {0}
    assert set(found.budget["of"]) == {len(plan.trials)}
