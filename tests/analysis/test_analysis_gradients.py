"""The signal to noise of gradients over replicates, from new records and from old ones."""

from math import isnan
from types import SimpleNamespace

import pandas as pd
import pytest

from analysis.findings import find
from analysis.gradients import gradient_frame, rows_with_squares
from analysis.labels import LOG_P
from analysis.plans import plan_from_records
from analysis.shipped import with_shipped
from analysis.signal_sentences import signal_sentences
from analysis.tables.gradients import lay_out_gradients
from gmm_study.study.sections import Gradients
from gmm_study.trials.record_store import RecordStore

PLAN = SimpleNamespace(
    x=None,
    study=SimpleNamespace(name="tiny", gradients=Gradients(methods=["gmm"])),
    trials=[SimpleNamespace(config=SimpleNamespace(trial_id="a"), replicates=2)],
)
CELLS = pd.DataFrame(
    [
        {
            "metric": LOG_P,
            "complete": True,
            "dataset": "bars",
            "method": "rws",
            "x": None,
            "trial_id": "a",
        }
    ]
)


def row_of(square, error):
    """A row of a replicate, whose squared signal has this error over draws."""
    known = {"method": "gmm", "q_baseline": "uniform", "samples": 2, "part": "q", "parameters": 3}
    known |= {"norm": 1.0, "target_error": 0.0}
    known |= {"target": "exact", "seconds": 0.1, "signal_square": square, "signal_square_se": error}
    root = None if square is None else max(square, 0.0) ** 0.5
    figures = {"signal_to_noise": root, "cosine": 0.5, "deviation": 1.0, "bias": 0.1}
    return known | figures | {f"{name}_se": 0.1 for name in figures}


def frame_of(*rows):
    return gradient_frame(PLAN, CELLS, lambda trial_id, asked: rows)


def test_the_signal_over_replicates_is_the_root_of_the_mean_square_and_not_the_mean_of_roots():
    (row,) = frame_of(row_of(0.09, 0.001), row_of(0.01, 0.001)).to_dict("records")
    assert row["signal_to_noise"] == pytest.approx(0.05**0.5)
    assert row["signal_to_noise_se"] == pytest.approx(0.04 / (2 * 0.05**0.5))
    assert row["signal_to_noise_upper"] == pytest.approx((0.05 + 2 * 0.04) ** 0.5)


def test_negative_squares_cancel_positive_ones_and_leave_an_upper_limit():
    frame = frame_of(row_of(-0.004, 0.004), row_of(0.005, 0.003))
    (row,) = frame.to_dict("records")
    assert row["signal_to_noise"] == pytest.approx(0.0005**0.5)
    assert isnan(row["signal_to_noise_se"])
    assert row["signal_to_noise_upper"] == pytest.approx((0.0005 + 2 * 0.0045) ** 0.5)
    (entry,) = lay_out_gradients(PLAN, frame)[0].rows[0][1]
    assert entry.text == "at most 0.097"


def test_the_answer_says_what_more_samples_do_to_the_signal_and_what_is_not_resolved():
    rows = [
        row_of(square, 0.001) | {"method": method, "samples": samples}
        for method, squares in (("gmm", (0.04, 0.25)), ("rws", (0.04, 0.0401)), ("nvil", (0.04, 0)))
        for samples, square in zip((2, 10), squares, strict=True)
    ]
    (sentence,) = signal_sentences(PLAN, frame_of(*rows))
    place, *changes = sentence.rstrip(".").split("; ")
    assert place == (
        "bars, trained by rws: the signal to noise of q's gradient rises from 0.200 ± 0.003 "
        "(K = 2) to 0.500 ± 0.001 (K = 10) in gmm"
    )
    assert changes == [
        "does not clearly change: from 0.200 ± 0.003 (K = 2) to 0.200 ± 0.002 (K = 10) in rws",
        "does not clearly change: from 0.200 ± 0.003 (K = 2) to at most 0.045 (K = 10) in nvil",
    ]


def test_the_error_over_replicates_is_not_below_that_over_draws():
    (row,) = frame_of(row_of(0.05, 0.004), row_of(0.05, 0.003)).to_dict("records")
    assert row["signal_to_noise_se"] == pytest.approx(0.0025 / (2 * 0.05**0.5))


def test_parameters_without_a_gradient_have_no_limit():
    frame = frame_of(row_of(None, None), row_of(None, None))
    assert isnan(frame["signal_to_noise_upper"].iloc[0])
    assert lay_out_gradients(PLAN, frame)[0].rows[0][1][0].text == "none"


def test_an_unclear_root_of_an_old_record_has_the_error_of_a_square_without_signal():
    old = [
        {"signal_to_noise": root, "signal_to_noise_se": error}
        for root, error in ((0.0, 0.0), (0.05, 0.03), (0.5, 0.1), (None, None))
    ]
    found = rows_with_squares({"draws": 200}, old)
    assert [row["signal_square"] for row in found] == [0.0, 0.05**2, 0.25, None]
    largest = 2**0.5 / 200
    assert [row["signal_square_se"] for row in found] == pytest.approx(
        [largest, largest, 0.1, None]
    )
    assert rows_with_squares({}, found) == found


def test_the_shipped_records_show_a_signal_of_every_method_on_the_models_of_rws(tmp_path):
    store = with_shipped(RecordStore(str(tmp_path)))
    frame = find(plan_from_records("gradient_quality", store), store).gradients
    own = frame[(frame["x"] == 100) & (frame["trained_by"] == "rws") & (frame["part"] == "q")]
    own = own[(own["samples"] > 1) | (own["method"] == "rws")]
    assert set(own["method"]) == {"gmm", "rws", "vimco"}
    assert own["signal_to_noise_se"].notna().all()
