"""Points of a search: configurations that are tried before any is drawn."""

import pytest

from gmm_study.study import make_plan

SPACE = """
space: {layers: {choice: [[8], [8, 4]]}, learning_rate: {log_uniform: [1e-4, 1e-2]}}
search:
  kind: random
  trials: %d
  points: %s
"""
POINTS = "[{layers: 8, learning_rate: 1e-2}, {layers: [8, 4], learning_rate: '1e-3'}]"


@pytest.fixture
def places(load):
    def planned(trials, points):
        plan = make_plan(load(SPACE % (trials, points), "method=gmm"), {"digits": "d" * 64})
        return [trial.axes for trial in plan.trials]

    return planned


def test_points_come_first_and_the_draws_after_them_are_those_without_points(places):
    with_points, without = places(5, POINTS), places(5, "[]")
    assert with_points[:2] == [
        {"layers": "8", "learning_rate": 0.01},
        {"layers": "8,4", "learning_rate": 0.001},
    ]
    assert with_points[2:] == without[2:]


def test_a_search_of_fewer_trials_than_points_runs_the_first_of_them(places):
    assert places(1, POINTS) == places(5, POINTS)[:1]


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ("[{layers: 8}]", "search.points.0.learning_rate: missing"),
        ("[{layers: 8, learning_rate: 1}]", "search.points.0.learning_rate: 1.0 must be in"),
        ("[{layers: 9, learning_rate: 1e-2}]", "search.points.0.layers: 9 must be in"),
        ("[{layers: 8, learning_rat: 1e-2}]", "did you mean 'learning_rate'?"),
        ("[{layers: x, learning_rate: 1e-2}]", "search.points.0.layers: 'x'"),
        ("[{layers: 8, learning_rate: null}]", "search.points.0.learning_rate: null"),
        ("[3]", "search.points.0"),
        ("3", "search.points"),
    ],
)
def test_a_point_outside_the_space_is_refused_in_one_line(refusal, points, said):
    assert said in refusal(SPACE % (3, points), "method=gmm")


def planned(load, *overrides):
    plan = make_plan(load(SPACE % (4, POINTS), "method=gmm", *overrides), {"digits": "d" * 64})
    return [trial.axes for trial in plan.trials]


def test_fixing_an_axis_beside_the_file_takes_it_out_of_the_points(load):
    assert planned(load, "learning_rate=0.005")[:2] == [{"layers": "8"}, {"layers": "8,4"}]
    assert planned(load, "layers=[8]")[0] == {"learning_rate": 0.01}


def test_points_that_become_equal_or_lack_a_new_axis_are_dropped(load):
    grid = "space.layers={grid: [[8], [4]]}"
    axes = planned(load, grid)
    assert [a["learning_rate"] for a in axes[:2]] == [0.01, 0.001]
    assert not {0.01, 0.001} & {
        a["learning_rate"] for a in planned(load, "space.samples={integer: [1, 5]}")
    }
