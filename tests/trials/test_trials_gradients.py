"""The gradients of a trial's models are assessed into its record, once."""

from dataclasses import replace

import pytest

from gmm_study.errors import InputError
from gmm_study.estimators.gradient_quality import BLOCKS
from gmm_study.trials.asked_gradients import LEAST_DRAWS, AskedGradients
from gmm_study.trials.gradients import assess_record, holds_gradients
from gmm_study.trials.record import GRADIENTS_FILE, Record
from gmm_study.trials.run import TrialRun
from tests.trials.runs import DATA, a_config, finish


def test_the_least_draws_are_two_for_each_block_of_the_jackknife():
    assert LEAST_DRAWS == 2 * BLOCKS


WANTED = AskedGradients(("gmm", "vimco", "nvil"), (1, 2), draws=40, datapoints=10)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    record = Record.at(str(tmp_path_factory.mktemp("trained")))
    finish(TrialRun(a_config(method="rws", layers=(4, 2)), DATA, range(2), record))
    return record


def test_a_record_holds_the_gradients_of_all_replicates_and_the_methods_that_fit(trained):
    assert trained.gradients(WANTED.to_json(2)) is None
    assess_record(trained, DATA, WANTED, 2)
    rows = trained.gradients(WANTED.to_json(2))
    kinds = {(row["replicate"], row["method"], row["samples"]) for row in rows}
    of_each = {("gmm", 1), ("gmm", 2), ("vimco", 2)}  # nvil needs a model that it has trained
    assert kinds == {(replicate, *each) for replicate in (0, 1) for each in of_each}


def test_what_a_record_holds_is_not_assessed_again_and_what_it_lacks_is(trained):
    assess_record(trained, DATA, WANTED, 2)
    content = trained.read_file(GRADIENTS_FILE)
    assess_record(trained, DATA, WANTED, 2)
    assert trained.read_file(GRADIENTS_FILE) == content  # which has times of its own
    assert not holds_gradients(trained, replace(WANTED, draws=60), 2)
    assert not holds_gradients(trained, WANTED, 3)


def test_an_unreadable_file_is_written_anew(trained):
    trained.write_file(GRADIENTS_FILE, b"{")
    with pytest.raises(ValueError, match=r"gradients\.json"):
        trained.gradients(WANTED.to_json(2))
    assess_record(trained, DATA, WANTED, 1)
    assert {row["replicate"] for row in trained.gradients(WANTED.to_json(1))} == {0}


def test_what_another_study_asks_for_is_kept_beside_it(trained):
    assess_record(trained, DATA, WANTED, 2)
    rows = trained.gradients(WANTED.to_json(2))
    other = replace(WANTED, samples=(3,))
    assess_record(trained, DATA, other, 2)
    assert {row["samples"] for row in trained.gradients(other.to_json(2))} == {3}
    assert trained.gradients(WANTED.to_json(2)) == rows


def test_a_file_of_a_single_assessment_stays_readable(trained):
    assess_record(trained, DATA, WANTED, 2)
    rows = trained.gradients(WANTED.to_json(2))
    trained.write_json(GRADIENTS_FILE, {"asked": WANTED.to_json(2), "rows": rows})
    assert trained.gradients(WANTED.to_json(2)) == rows
    assess_record(trained, DATA, replace(WANTED, samples=(3,)), 2)
    assert trained.gradients(WANTED.to_json(2)) == rows


def test_without_a_checkpoint_a_line_says_so(tmp_path):
    record = Record.at(str(tmp_path))
    with pytest.raises(InputError, match=r"checkpoint: .* has none"):
        assess_record(record, DATA, WANTED, 1)


def test_a_checkpoint_that_lacks_a_replicate_is_not_taken_for_all_of_them(tmp_path):
    record, config = Record.at(str(tmp_path)), a_config(method="rws", layers=(4, 2))
    finish(TrialRun(config, DATA, range(2), record))
    record.inside("checkpoint").delete()
    finish(TrialRun(config, DATA, range(3), record))
    with pytest.raises(InputError, match=r"checkpoint: .* has no replicate 0, 1, so"):
        assess_record(record, DATA, WANTED, 3)
    assert not holds_gradients(record, WANTED, 3)
