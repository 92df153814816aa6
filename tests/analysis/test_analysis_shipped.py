"""Records that come with the project, in packs, and the user's own beside them."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet
import pytest

from analysis import find, plan_from_records, with_shipped
from analysis.cells import OWN
from analysis.ship import STEP, ship
from analysis.shipped import RECORDS
from gmm_study.errors import InputError
from gmm_study.search.history import History
from gmm_study.search.searches import Searches
from gmm_study.storage.pack import Pack, write_pack
from gmm_study.study import load_study, make_plan
from gmm_study.trials.record_store import RecordStore


def cells(plan, store):
    return find(plan, store).all_cells.to_dict("records")


def test_without_records_of_ones_own_a_report_is_that_of_the_shipped_records(lab, shipped):
    plan, own = shipped
    ours, theirs = find(plan, with_shipped(own)), find(plan, lab.store)
    assert ours.all_cells.equals(theirs.all_cells)
    assert ours.rows.equals(theirs.rows)
    assert ours.records.curves().equals(theirs.records.curves())
    assert not ours.records.own


def test_a_pack_has_no_checkpoint_and_no_process(lab, shipped, tmp_path):
    plan, _ = shipped
    files = Pack([tmp_path / "records" / "rates.parquet"]).files
    assert not [name for name in files if "checkpoint" in name]
    (status,) = (json.loads(files[name]) for name in files if name.endswith("status.json"))
    assert status == {"state": "stopped", "epoch": 5}
    assert {name.partition("/")[0] for name in files} == {
        *(trial.config.trial_id for trial in plan.trials),
        ".searches",
    }


def test_a_pack_has_rounded_datapoints_of_the_trials_that_are_shown(lab, shipped, tmp_path):
    plan, own = shipped
    shown, hidden = plan.trials[:2]
    values = np.random.default_rng(0).normal(-20, 5, size=(3, 50)).astype(np.float32)
    for trial in (shown, hidden):
        lab.store.record(trial.config.trial_id).write_datapoints(dict(enumerate(values)))
    target = tmp_path / "records" / "rates.parquet"
    ship(replace(plan, places=(shown,)), lab.store, target)
    store = with_shipped(own)
    rounded = store.record(shown.config.trial_id).datapoints()
    assert list(rounded) == [0, 1, 2]
    assert 0 < np.abs(np.stack(list(rounded.values())) - values).max() <= STEP / 2
    assert store.record(hidden.config.trial_id).datapoints() == {}


def test_a_record_that_cannot_be_read_is_not_left_out_but_named(lab, shipped, tmp_path):
    plan, _ = shipped
    trial_id = plan.trials[0].config.trial_id
    for name in ("datapoints.parquet", "result.json"):
        lab.store.record(trial_id).write_file(name, b"{")
        with pytest.raises(InputError, match=f"{trial_id}.*{name}"):
            ship(plan, lab.store, tmp_path / "records" / "rates.parquet")


def test_a_trial_of_ones_own_takes_the_place_of_the_shipped_one_and_is_marked(lab, shipped):
    plan, own = shipped
    mine = plan.trials[1].config
    record = own.record(mine.trial_id)
    record.write_config(mine)
    result = lab.store.record(mine.trial_id).result()
    record.write_result(result)
    before = cells(plan, lab.store)
    for cell, shipped_cell in zip(cells(plan, with_shipped(own)), before, strict=True):
        is_mine = cell["trial_id"] == mine.trial_id
        words = filter(None, [shipped_cell["mark"], OWN if is_mine else ""])
        assert cell["mark"] == "; ".join(words)
        assert cell["mean"] == pytest.approx(shipped_cell["mean"], nan_ok=True)


def test_records_that_are_all_ones_own_are_not_marked(lab, shipped):
    other = lab.plan("other", fixed={"max_epochs": 3})
    lab.write(other.trials[0].config, {}, {}, {})
    assert not find(other, with_shipped(lab.store)).records.own


def test_a_trial_that_is_not_complete_here_is_the_shipped_one(shipped):
    plan, own = shipped
    for trial in plan.trials:
        own.record(trial.config.trial_id).write_config(trial.config)
    assert not find(plan, with_shipped(own)).records.own
    assert {cell["n"] for cell in cells(plan, with_shipped(own))} >= {3}


def test_the_longer_history_of_a_search_is_the_one_that_counts(lab, shipped):
    plan, own = shipped
    (key,) = {trial.cell for trial in plan.trials[:1]}
    name = f".searches/rates/{key}/000000.json"
    ours = lab.store.folder.read_file(name)
    own.folder.write_file(name, ours[:-1])
    assert with_shipped(own).folder.read_file(name) == ours
    assert with_shipped(own).folder.inside(".searches/rates").read_tagged(f"{key}/000000.json")
    own.folder.write_file(name, ours + b" ")
    assert with_shipped(own).folder.read_file(name) == ours + b" "


def test_a_history_in_the_single_file_of_an_older_version_is_not_mixed_with_pages(lab, shipped):
    plan, own = shipped
    (key,) = {trial.cell for trial in plan.trials[:1]}
    folder = f".searches/rates/{key}"
    own.folder.write_file(f"{folder}.json", b"old")
    assert with_shipped(own).folder.read_file(f"{folder}.json") is None
    own.folder.write_file(f"{folder}.json", b"old" * 10**5)
    assert with_shipped(own).folder.read_file(f"{folder}/000000.json") is None


def test_a_trial_with_fewer_seeds_here_is_the_shipped_one(lab, shipped):
    plan, own = shipped
    mine = plan.trials[0].config
    result = lab.store.record(mine.trial_id).result()
    one = replace(result, replicates={0: result.replicates[0]})
    own.record(mine.trial_id).write_config(mine)
    own.record(mine.trial_id).write_result(one)
    found = find(plan, with_shipped(own))
    assert not found.records.own
    assert found.rows.equals(find(plan, lab.store).rows)


def test_a_study_without_a_trial_that_ended_is_not_shipped(lab, shipped, tmp_path):
    plan, own = shipped
    before = (tmp_path / "records" / "rates.parquet").read_bytes()
    with pytest.raises(InputError, match="no trial of rates that ended"):
        ship(plan, own, tmp_path / "records" / "rates.parquet")
    assert (tmp_path / "records" / "rates.parquet").read_bytes() == before


def test_in_a_bucket_the_shipped_choice_of_a_screening_is_known(
    lab, figures, tmp_path, monkeypatch, s3
):
    search = {"kind": "random", "trials": 3, "screen": {"replicates": 1, "confirm": 1}}
    content = {"space": {"learning_rate": {"uniform": [1e-3, 1e-2]}}, "search": search}
    plan = lab.plan("screened", **content)
    for trial in plan.trials:
        lab.write(trial.config, figures(-20.0, -21.0))
    searches = Searches(plan, lab.store)
    searches.take_up(set())
    (chosen,) = searches.confirm()
    lab.write(chosen.config, *[figures(-20.0, -21.0)] * 3)
    monkeypatch.setattr("analysis.shipped.RECORDS", tmp_path / "records")
    ship(lab.plan("screened", **content), lab.store, tmp_path / "records" / "screened.parquet")
    study = load_study(str(lab.folder / "screened.yaml"))
    for store in (RecordStore("s3://studies/own"), RecordStore(str(tmp_path / "own"))):
        known = make_plan(
            study,
            {"digits": f"{'digits':0<64}"},
            lambda cell, store=store: History(with_shipped(store), cell),
        )
        assert known.confirmed == {chosen.config.trial_id}


def test_in_a_bucket_ones_own_trials_lie_over_the_shipped_ones_too(shipped, s3, lab):
    plan, _ = shipped
    own = RecordStore("s3://studies/own")
    mine = plan.trials[0].config
    own.record(mine.trial_id).write_config(mine)
    own.record(mine.trial_id).write_result(lab.store.record(mine.trial_id).result())
    found = find(plan, with_shipped(own))
    assert found.records.own == {mine.trial_id}
    assert found.rows.equals(find(plan, lab.store).rows)


def test_equal_files_give_an_equal_pack(tmp_path):
    files = {"b/1": b"one", "a/2": b"two"}
    write_pack(tmp_path / "one.parquet", files)
    write_pack(tmp_path / "two.parquet", dict(reversed(files.items())))
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert Pack([tmp_path / "one.parquet"]).files == files


PACKS = sorted(RECORDS.glob("*.parquet"))


@pytest.mark.parametrize("path", PACKS, ids=lambda path: path.stem)
def test_every_shipped_record_is_one_of_its_study_and_can_be_read(path, tmp_path):
    store = RecordStore(str(tmp_path)).over(Pack([path]))
    study = load_study(str(RECORDS.parents[1] / "studies" / f"{path.stem}.yaml"))
    plan = plan_from_records(study, store)
    planned = {trial.config.trial_id for trial in plan.trials}
    assert set(store.trial_ids()) - {".searches"} <= planned
    found = find(plan, store)
    assert not found.records.warnings
    assert found.rows["replicate_state"].eq("complete").any()
    names = pyarrow.parquet.read_table(path, columns=["path"])["path"].to_pylist()
    assert not [name for name in names if "checkpoint" in name or "pictures" in name]
    values = [store.record(trial_id).datapoints() for trial_id in store.trial_ids()]
    steps = [own / STEP for of_trial in values for own in of_trial.values()]
    assert steps
    assert all(np.array_equal(each, each.round()) for each in steps)
    assert path.stat().st_size < 8 * 2**20
