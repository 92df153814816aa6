"""Shipped records that are copied to a storage, in which their study continues."""

import sys

import pytest

from analysis.restore import restore
from gmm_study.errors import InputError
from gmm_study.search.history import History
from gmm_study.storage.folder import Folder
from gmm_study.training.state import TrialState
from gmm_study.trials.survey import survey
from tests.trials.results import result_of

COMPLETE, STOPPED = TrialState.COMPLETE, TrialState.STOPPED


def states(plan, store):
    ids = [trial.config.trial_id for trial in plan.trials]
    found = survey(store, ids)
    return [found[trial_id].state for trial_id in ids]


def test_a_shipped_study_continues_in_a_storage_to_which_it_is_restored(lab, shipped):
    plan, own = shipped
    assert restore("rates", own) == (3, 0)
    assert states(plan, own) == [COMPLETE, COMPLETE, STOPPED]
    for cell in plan.cells.values():
        assert History(own, cell).events == History(lab.store, cell).events
    assert restore("rates", own) == (0, 3)


def test_what_is_in_the_storage_is_kept(lab, shipped):
    plan, own = shipped
    mine, started, stopped = (trial.config for trial in plan.trials)
    record = own.record(mine.trial_id)
    record.write_config(mine)
    record.write_result(lab.store.record(mine.trial_id).result())
    kept = own.folder.read_file(f"{mine.trial_id}/result.json")
    own.record(started.trial_id).write_config(started)
    own.record(started.trial_id).write_file("checkpoint/meta.json", b"{}")
    own.record(stopped.trial_id).write_config(stopped)
    own.record(stopped.trial_id).write_status(STOPPED, epoch=40)
    cell = next(iter(plan.cells.values()))
    own.folder.inside(".searches/other").write_json(f"{cell.key}/000000.json", {})
    assert restore("rates", own) == (1, 2)
    assert own.folder.read_file(f"{mine.trial_id}/result.json") == kept
    assert own.record(stopped.trial_id).status().epoch == 40
    assert states(plan, own)[1] is COMPLETE  # there was no result here
    assert not own.folder.is_file(f"{started.trial_id}/checkpoint/meta.json")
    assert History(own, cell).events  # that of another study does not count


def test_a_result_with_more_seeds_replaces_one_with_fewer(lab, shipped, figures):
    plan, own = shipped
    screened = plan.trials[0].config
    record = own.record(screened.trial_id)
    record.write_config(screened)
    record.write_result(result_of(screened.trial_id, figures(-25.0, -26.0)))
    assert restore("rates", own) == (3, 0)
    assert record.result() == lab.store.record(screened.trial_id).result()


@pytest.mark.parametrize("files", range(0, 10, 3))
def test_a_restoration_that_was_interrupted_is_completed_by_the_next(shipped, files, monkeypatch):
    plan, own = shipped
    written = []

    def write(folder, name, content, kept_as=None):
        if len(written) == files:
            raise KeyboardInterrupt
        written.append(name)
        whole(folder, name, content, kept_as)

    whole = Folder.write_file
    with monkeypatch.context() as patched:
        patched.setattr(Folder, "write_file", write)
        with pytest.raises(KeyboardInterrupt):
            restore("rates", own)
    restore("rates", own)
    assert states(plan, own) == [COMPLETE, COMPLETE, STOPPED]


def test_a_study_that_is_running_is_not_restored(shipped):
    _, own = shipped
    with own.the_only_driver("rates"), pytest.raises(InputError, match="rates"):
        restore("rates", own)
    assert own.trial_ids() == []


def test_a_study_without_shipped_records_is_named_beside_those_with_some(shipped):
    with pytest.raises(InputError, match=r"no records of 'other' come.* of rates do"):
        restore("other", shipped[1])


@pytest.mark.parametrize(
    ("study", "storage", "said"),
    [
        ("dna_l1", "", "storage: '' must be a folder"),
        ("dna_l1", "taken", "storage: "),
        ("nosuch", "results", "study: no records of 'nosuch' come with gmm-study"),
    ],
)
def test_a_mistake_is_one_line(study, storage, said, tmp_path, monkeypatch, capsys):
    from analysis.restore import main

    (tmp_path / "taken").write_text("not a folder")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["restore", study, "--storage", storage])
    with pytest.raises(SystemExit, match="2"):
        main()
    *_, line = capsys.readouterr().err.strip().splitlines()
    assert f"error: {said}" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]
