"""A node that cannot use the storage says why, without the password of the address."""

import pytest

from gmm_study.orchestration.admission import what_is_wrong
from gmm_study.trials.record_store import RecordStore

PROBE = ".nodes"


def test_nothing_is_wrong_with_a_folder_that_the_node_sees_and_writes(tmp_path):
    (tmp_path / PROBE).write_text("[]")
    assert what_is_wrong(RecordStore(str(tmp_path)).storage, PROBE, ["gmm"]) is None
    assert [path.name for path in tmp_path.iterdir()] == [PROBE]


def test_a_folder_without_the_driver_s_file_is_not_the_driver_s(tmp_path):
    wrong = what_is_wrong(RecordStore(str(tmp_path)).storage, PROBE, ["gmm"])
    assert wrong == f"cannot see the files that the driver writes to '{tmp_path}'"


def test_a_folder_that_cannot_be_used_is_named_with_the_cause(tmp_path):
    (tmp_path / "file").touch()
    wrong = what_is_wrong((tmp_path / "file" / "results").as_uri(), PROBE, ["gmm"])
    assert f"cannot use '{tmp_path}/file/results': " in wrong
    assert "Not a directory" in wrong


@pytest.mark.parametrize(
    "storage",
    [
        "nothing://user:TOPSECRET@bucket/x",
        "s3://k:TOPSECRET@bucket/x?endpoint_override=127.0.0.1:1&scheme=http",
    ],
)
def test_an_address_that_the_node_cannot_use_is_named_with_the_cause_and_without_secrets(storage):
    wrong = what_is_wrong(storage, PROBE, ["gmm"])
    assert wrong.startswith("says: '")
    assert "://***@" in wrong
    assert "TOPSECRET" not in wrong
