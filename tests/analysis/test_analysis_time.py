"""Validation by training time, and test log p against it."""

import pytest

from analysis import find, join, load, summarise
from analysis.curves import quality_points
from analysis.figures.quality import draw_quality
from analysis.gallery import pictures_of
from gmm_study.trials.config import TrialConfig

SIZES = {"layers": {"first": 8, "last": 4}}
DEPTHS = {"layers.depth": {"grid": [1, 2]}}


@pytest.fixture
def write(lab, figures):
    """Writes a record of two replicates of three epochs; `seconds` are those of each epoch."""

    def _write(config: TrialConfig, *seconds: list[float], metric: str = "bound"):
        lab.write(config, *[figures(-21.0, -20.0)] * len(seconds))
        values = [-30.0, -25.0, -21.0]
        lab.store.record(config.trial_id).write_metrics(
            {"replicate": number, "epoch": epoch} | row
            for number, own in enumerate(seconds)
            for epoch in (1, 2, 3)
            for row in (
                {"split": "valid", "metric": metric, "value": values[epoch - 1] + number},
                *(
                    [{"split": "train", "metric": "seconds", "value": own[epoch - 1]}]
                    if own
                    else []
                ),
            )
        )

    return _write


def test_a_point_of_a_curve_is_the_mean_of_values_and_of_times_at_an_epoch(lab, write, curves):
    plan = lab.plan(replicates=2)
    write(plan.trials[0].config, [1.0, 2.0, 3.0], [3.0, 6.0, 9.0])
    (curve,) = curves(plan)
    assert curve.has_seconds
    assert list(curve.epochs["seconds"]) == [2.0, 4.0, 6.0]
    assert list(curve.epochs["mean"]) == [-29.5, -24.5, -20.5]


def test_a_curve_without_the_time_of_every_replicate_has_none(lab, write, curves):
    plan = lab.plan(replicates=2)
    write(plan.trials[0].config, [1.0, 2.0, 3.0], [])
    assert not curves(plan)[0].has_seconds


def test_the_curve_is_of_the_criterion_by_which_training_stops(lab, write, curves):
    plan = lab.plan(replicates=1, fixed={"criterion": "log_p"})
    write(plan.trials[0].config, [1.0, 2.0, 3.0], metric="log_p")
    (curve,) = curves(plan)
    assert (curve.criterion, curve.shown) == ("log_p", 3)


@pytest.mark.figure
def test_curves_by_time_stand_beside_those_by_epoch_and_old_records_are_left_out(lab, write):
    plan = lab.plan(replicates=2, space=DEPTHS, fixed=SIZES)
    for trial in plan.trials:
        old = trial.axes["layers.depth"] == 1
        write(trial.config, *([[], []] if old else [[1.0, 2.0, 3.0], [3.0, 6.0, 9.0]]))
    picture = {each.name: each for each in pictures_of(find(plan, lab.store))}["curves"]
    assert "Left out: 1 of 2 curves, of records without training time." in picture.caption
    by_epoch, by_time = picture.draw().axes
    assert [list(line.get_xdata()) for line in by_epoch.lines] == [[1, 2, 3], [1, 2, 3]]
    assert [list(line.get_xdata()) for line in by_time.lines] == [[2.0, 4.0, 6.0]]


@pytest.mark.figure
def test_without_any_training_time_the_caption_says_so(lab, write):
    plan = lab.plan(replicates=1)
    write(plan.trials[0].config, [])
    picture = {each.name: each for each in pictures_of(find(plan, lab.store))}["curves"]
    assert picture.caption.endswith("The training time by epoch is not recorded.")
    assert len(picture.draw().axes) == 1


def test_quality_is_test_log_p_by_the_mean_time_of_a_replicate(lab, figures):
    plan = lab.plan(replicates=2, space=DEPTHS, fixed=SIZES)
    lab.write(plan.trials[0].config, figures(-21.0, -20.0), figures(-21.0, -19.0))
    rows = join(plan, load(lab.store))
    points = quality_points(rows, summarise(plan, rows))
    assert points[["x", "mean", "seconds"]].values.tolist() == [[1, -19.5, 3.2]]


@pytest.mark.figure
def test_a_point_far_below_the_others_lies_below_the_panel_which_says_so(lab, figures):
    plan = lab.plan(replicates=2, space={"layers.depth": {"grid": [1, 2, 3, 4, 5]}}, fixed=SIZES)
    means = {1: -120.0, 2: -21.0, 3: -20.5, 4: -20.0, 5: -19.5}
    for trial in plan.trials:
        mean = means[trial.axes["layers.depth"]]
        lab.write(trial.config, figures(-21.0, mean), figures(-21.0, mean))
    rows = join(plan, load(lab.store))
    points = quality_points(rows, summarise(plan, rows))
    (panel,) = draw_quality(plan, points).axes
    texts = [text.get_text() for text in panel.texts]
    assert texts == ["1", "2", "3", "4", "5", "below: gmm 1 (-120)"]
    low, high = panel.get_ylim()
    assert -22.0 < low < -21.0
    assert -19.5 < high < -19.0
    (panel,) = draw_quality(plan, points[points["x"] != 1]).axes
    assert [text.get_text() for text in panel.texts] == ["2", "3", "4", "5"]


@pytest.mark.figure
@pytest.mark.parametrize(
    ("axes", "joined", "named"),
    [
        ({"space": {"samples": {"grid": [2, 5]}}}, True, ["2", "5"]),
        ({"space": {"layers": {"grid": [[4], [4, 3]]}}}, True, ["4", "4,3"]),
        ({"space": {"optimizer": {"grid": ["adam", "sgd"]}}}, False, ["adam", "sgd"]),
        ({"variations": {"one": {}, "same": {"samples": 10}, "two": {"samples": 2}}}, False, None),
    ],
)
def test_points_are_joined_along_an_axis_with_an_order_and_equal_trials_have_one_name(
    lab, figures, axes, joined, named
):
    plan = lab.plan(replicates=2, **axes)
    for number, trial in enumerate(plan.trials):
        lab.write(trial.config, *[figures(-21.0, -20.0 - number)] * 2)
    rows = join(plan, load(lab.store))
    (panel,) = draw_quality(plan, quality_points(rows, summarise(plan, rows))).axes
    assert (panel.lines[0].get_linestyle() == "-") == joined
    assert [text.get_text() for text in panel.texts] == (named or ["one, same", "two"])
