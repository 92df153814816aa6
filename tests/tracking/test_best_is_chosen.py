"""A report, MLflow and the searches choose the same trials."""

import json
from math import inf

import pytest
import yaml

from analysis import best_on_validation, join, load
from gmm_study.orchestration.facts import cells_of
from gmm_study.search.searches import objective
from gmm_study.study import load_study, make_plan
from gmm_study.tracking.account import account_of
from gmm_study.training.state import TrialState
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.selection import Choice, best_trials
from tests.trials.results import result_of

STUDY = {
    "question": "Do a report and MLflow choose the same?",
    "datasets": ["digits"],
    "methods": ["gmm", "vae"],
    "replicates": 3,
    "variations": {
        "as it is": {},
        "spelt out": {"initial_bias": -1.0},
        "zero": {"initial_bias": 0},
    },
    "fixed": {"layers": [4], "initial_bias": -1.0},
    "space": {"learning_rate": {"grid": [0.001, 0.003, 0.01, 0.03]}},
    "report": {"x": "variation"},
}
TIED, BETTER = [-21.0, -20.0, -22.0], [-20.0, -20.0, -20.0]
HIGHEST = -1.0


def write(store, config, values, log_p):
    """A record with a replicate for each value, in nats; None is one that diverged.

    With `log_p` the value is that and the bound is misleading; without, the record is an old one,
    which has a bound alone.
    """
    record = store.record(config.trial_id)
    record.write_config(config)
    replicates = [
        None
        if value is None
        else {"valid/log_p": value, "valid/bound": -value}
        if log_p
        else {"valid/bound": value}
        for value in values
    ]
    record.write_result(result_of(config.trial_id, *replicates))


@pytest.mark.parametrize(
    "by_rate",
    [
        pytest.param([TIED, sorted(TIED), TIED, TIED], id="ties"),
        pytest.param([TIED, [HIGHEST, None, HIGHEST], BETTER, TIED], id="a diverged replicate"),
        pytest.param([TIED, [HIGHEST, HIGHEST], BETTER, BETTER], id="an incomplete trial"),
        pytest.param([TIED, [HIGHEST] * 4, BETTER, None], id="more replicates than wanted"),
        pytest.param([TIED, [*BETTER, None], TIED, None], id="one diverged that is not wanted"),
        pytest.param([TIED, [HIGHEST, inf, HIGHEST], BETTER, TIED], id="not finite"),
        pytest.param([[HIGHEST, HIGHEST], [None] * 3, None, None], id="no candidate"),
    ],
)
@pytest.mark.parametrize(
    "new", [pytest.param(4, id="new"), pytest.param(0, id="old"), pytest.param(2, id="mixed")]
)
def test_a_report_mlflow_and_a_search_choose_the_same_trial_of_every_cell(tmp_path, by_rate, new):
    (tmp_path / "both.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    plan = make_plan(load_study(str(tmp_path / "both.yaml")), {"digits": "0" * 64})
    assert len(plan.places) > len(plan.trials)  # some are shared
    store = RecordStore(str(tmp_path / "results"))
    rates = STUDY["space"]["learning_rate"]["grid"]
    for trial in plan.trials:
        at = rates.index(trial.axes["learning_rate"])
        if by_rate[at] is not None:
            write(store, trial.config, by_rate[at], log_p=at < new)

    cells = best_on_validation(join(plan, load(store))).to_dict("records")
    chosen = {
        (cell["dataset"], cell["method"], cell["x"]): Choice(
            cell["trial_id"], cell["selected_by"], cell["validation"]
        )
        for cell in cells
        if cell["complete"]
    }

    ids = [trial.config.trial_id for trial in plan.trials]
    scores = {each: account_of(store.record(each), 3).scores for each in ids}
    best = best_trials(cells_of(plan), scores)
    labels = {json.dumps(label): label for label in STUDY["variations"]}
    assert {
        (cell.dataset, cell.method, labels[cell.x]): choice for cell, choice in best.items()
    } == chosen

    searched = {each: objective(store.record(each), 3) for each in ids}
    for each, (state, found) in searched.items():
        assert found == scores[each]
        assert (state is TrialState.COMPLETE) == bool(found)
