"""The table of targets says what was reached and what was not."""

import pytest

from bench import evaluation, floor, memory, replicates, training_step
from bench.targets import reached, summary
from bench.timing import Rounds


@pytest.mark.parametrize(
    ("target", "measured", "expected"),
    [
        ("at least 2.0 (aim: 2.5)", 2.0, True),
        ("at least 2.0 (aim: 2.5)", 1.99, False),
        ("at most 100", 100.0, True),
        ("at most 100", 100.1, False),
        ("at least 75", float("nan"), False),
        ("at most 75", float("nan"), False),
    ],
)
def test_a_target_is_reached_up_to_its_limit(target, measured, expected):
    assert reached(target, measured) is expected


@pytest.mark.parametrize(
    "target",
    [
        *training_step.TARGETS.values(),
        *floor.TARGETS.values(),
        evaluation.TARGET,
        replicates.TARGET,
        memory.EVALUATION_TARGET,
    ],
)
def test_every_target_can_be_read(target):
    assert isinstance(reached(target, 1.0), bool)


def test_a_target_of_another_form_is_refused():
    with pytest.raises(ValueError, match="'quick': it must begin with 'at least' or 'at most'"):
        reached("quick", 1.0)


def test_the_summary_names_every_target_and_says_no_where_one_is_missed():
    rows = [
        {"model": "deep", "K": 10, "ours (ms)": 3.0, "target": "at least 2", "measured": 2.5},
        {"model": "deep", "K": 1, "ours (ms)": 3.0, "target": "at least 2", "measured": 1.5},
        {"model": "deep", "K": 100, "ours (ms)": 3.0},
    ]
    found = summary({"step": rows, "floor": [{"model": "deep"}]})
    assert [(row["case"], row["reached"]) for row in found] == [
        ("deep, K 10", "yes"),
        ("deep, K 1", "no"),
    ]


def test_ratios_are_taken_within_a_round_and_the_median_of_them_is_told():
    measured = Rounds({"ours": [1.0, 10.0, 2.0], "peer": [2.0, 30.0, 8.0]})
    assert measured.ratio("peer", "ours").median == 3.0
    assert measured.ratio("peer", "ours").cells("ratio") == {
        "ratio": 3.0,
        "quartile 1": 2.5,
        "quartile 3": 3.5,
    }
