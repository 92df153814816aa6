"""In a bucket, one of many processes owns a trial or drives a study, and the next after its end."""

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, replace
from threading import Event

import pytest

from gmm_study.errors import InputError
from gmm_study.storage import holding, ownership
from gmm_study.storage.folder import Folder
from gmm_study.storage.ownership import Owner, Sign
from gmm_study.training.state import TrialState
from gmm_study.trials.record_store import RecordStore
from tests.s3_server import CONFLICT
from tests.workbench import wait_until

pytestmark = pytest.mark.process

ADDRESS = "s3://studies/results"
SILENT = 60.0
CONTEND = """
import sys
from gmm_study.storage.folder import Folder
from gmm_study.storage.ownership import Sign
sign = Sign(Folder.at(sys.argv[1]), "owner.json", 60.0)
sign.read()
print("ready", flush=True)
sys.stdin.readline()
print(sign.take() is None, flush=True)
sys.stdin.readline()
"""


def contenders(stack, number):
    """Processes that are ready to take the same thing."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", CONTEND, ADDRESS]
    processes = [stack.enter_context(subprocess.Popen(command, **pipes)) for _ in range(number)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    return processes


def winners(processes):
    """Let all of them start in the same instant; those that own the thing then."""
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    return [process for process in processes if process.stdout.readline() == "True\n"]


def test_of_processes_that_start_in_the_same_instant_one_becomes_the_owner_each_time(s3):
    sign = Sign(Folder.at(ADDRESS), "owner.json", SILENT)
    with ExitStack() as stack:
        waiting = contenders(stack, 6)
        for _ in range(2):  # first nobody owns it, then a process that has died
            (winner,) = winners(waiting[:3])
            assert sign.read().pid == winner.pid
            for process in waiting[:3]:
                process.kill()
                process.wait()
            del waiting[:3]


def test_an_owner_whose_answer_was_lost_knows_that_it_is_the_owner(s3):
    lost = []

    def lose(request):
        if request["REQUEST_METHOD"] == "PUT" and not lost:
            lost.append(request["PATH_INFO"])
            raise ConnectionResetError

    s3.after = lose
    sign = Sign(Folder.at(ADDRESS), "owner.json", SILENT)
    assert sign.take() is None
    assert lost == ["/studies/results/owner.json"]
    assert sign.read().is_this_process


def test_an_owner_that_was_replaced_does_not_renew_or_remove_the_sign_of_the_next(s3):
    sign = Sign(Folder.at(ADDRESS), "owner.json", SILENT)
    assert sign.take() is None
    assert sign.renew()
    another = replace(Owner.this_process(), pid=1, started="")
    sign.folder.write_json("owner.json", asdict(another))
    assert not sign.renew()
    sign.leave()
    assert sign.read() == another


def test_an_owner_that_is_written_while_another_leaves_stays(s3):
    sign = Sign(Folder.at(ADDRESS), "owner.json", SILENT)
    sign.take()
    content = json.dumps(asdict(replace(Owner.this_process(), pid=1, started=""))).encode()

    def take_over(request):
        if request["REQUEST_METHOD"] == "GET":
            s3.after = lambda request: None
            sign.folder.write_file("owner.json", content)

    s3.after = take_over
    sign.leave()
    assert sign.folder.read_file("owner.json") == content


def test_where_the_owner_keeps_changing_nobody_believes_to_own_it(s3, monkeypatch):
    monkeypatch.setattr(ownership, "MOST_PAUSE", 0.0)
    s3.answers = lambda request: CONFLICT if request["REQUEST_METHOD"] == "PUT" else None
    with pytest.raises(OSError, match="keeps changing"):
        Sign(Folder.at(ADDRESS), "owner.json", SILENT).take()


@pytest.mark.parametrize("machine", ["", "another boot"])
def test_a_process_of_another_machine_with_the_same_name_and_number_is_another_process(s3, machine):
    sign = Sign(Folder.at(ADDRESS), "owner.json", SILENT)
    other = replace(Owner.this_process(), machine=machine)
    sign.folder.write_json("owner.json", asdict(other))
    assert sign.take() == other
    unknown_here = replace(other, pid=2**22 + 1)
    sign.folder.write_json("owner.json", asdict(unknown_here))
    assert sign.take() == unknown_here
    silent = replace(unknown_here, time=unknown_here.time - 2 * SILENT)
    sign.folder.write_json("owner.json", asdict(silent))
    assert sign.take() is None


def test_a_process_of_this_machine_is_gone_when_it_has_ended_and_not_before(s3):
    sign = Sign(Folder.at(ADDRESS), "owner.json", SILENT)
    with ExitStack() as stack:
        (process,) = contenders(stack, 1)
        assert winners([process])
        now = sign.read()
        owner = replace(now, time=now.time - 5 * SILENT)
        sign.folder.write_json("owner.json", asdict(owner))
        assert sign.take() == owner
        assert replace(owner, started="1").is_gone(SILENT), "another one has its number by now"
        assert replace(owner, time=0.0).is_gone(SILENT), "its sign was left behind"
        process.kill()
        wait_until(lambda: owner.is_gone(SILENT))  # although its parent has not asked for its end
        assert sign.take() is None


def test_who_holds_a_sign_stays_its_owner_for_others_until_it_is_given_back(s3):
    sign = Sign(Folder.at(ADDRESS), "owner.json", SILENT)
    assert holding.take(sign, every=0.02) is None
    first = sign.read()
    wait_until(lambda: sign.read().time > first.time)
    assert not holding.is_lost(sign)
    holding.give_back(sign)
    assert sign.read() is None
    assert not holding.is_lost(sign), "it is not held"


@pytest.mark.parametrize("what", ["replaced", "removed"])
def test_who_holds_a_sign_learns_that_it_was_taken(s3, what):
    sign, lost = Sign(Folder.at(ADDRESS), "owner.json", SILENT), Event()
    assert holding.take(sign, every=0.02, on_loss=lost.set) is None
    if what == "replaced":
        written_elsewhere(RecordStore(ADDRESS), "owner.json", seconds_ago=0.0)
    else:
        sign.folder.delete_file("owner.json")
    assert holding.is_lost(sign)
    assert lost.wait(60.0)
    holding.give_back(sign)
    left = sign.read()
    assert (left and left.host) == ("another-machine" if what == "replaced" else None)


DRIVE = """
import signal, sys, time
from gmm_study.trials import drivers
from gmm_study.trials.record_store import RecordStore
drivers.BEAT_EVERY = 0.05
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
with RecordStore(sys.argv[1]).the_only_driver("tiny"):
    print("driving", flush=True)
    time.sleep(100)
"""


def test_a_driver_that_another_one_has_replaced_ends_with_a_line_that_names_it(s3):
    command = [sys.executable, "-c", DRIVE, ADDRESS]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as driver:
        assert driver.stdout.readline() == "driving\n"
        written_elsewhere(RecordStore(ADDRESS), ".drivers/tiny.json", seconds_ago=1.0)
        _, err = driver.communicate(timeout=60)
    assert "gmm-study: study: 'tiny' is being run by process 1 on another-machine" in err
    assert "KeyboardInterrupt" in err
    assert RecordStore(ADDRESS).driver("tiny").host == "another-machine"


def written_elsewhere(store, name, seconds_ago):
    said_at = time.time() - seconds_ago
    owner = Owner("another-machine", 1, said_at, said_at)
    text = f'{{"host": "{owner.host}", "pid": 1, "since": {said_at}, "time": {said_at}}}'
    store.folder.write_file(name, text.encode())


def test_a_driver_of_another_machine_is_gone_when_it_has_been_silent(s3):
    store = RecordStore(ADDRESS)
    written_elsewhere(store, ".drivers/tiny.json", seconds_ago=1.0)
    with pytest.raises(InputError, match="another-machine"), store.the_only_driver("tiny"):
        pass
    written_elsewhere(store, ".drivers/tiny.json", seconds_ago=600.0)
    with store.the_only_driver("tiny"):
        with pytest.raises(InputError, match="is being run"), store.the_only_driver("tiny"):
            pass
        with store.the_only_driver("another"):
            pass
    assert store.driver("tiny") is None


def test_a_trial_of_another_machine_is_taken_up_when_that_has_been_silent_or_reported_dead(s3):
    record = RecordStore(ADDRESS).record("abc")
    written_elsewhere(RecordStore(ADDRESS), "abc/.owner", seconds_ago=60.0)
    assert not record.take_up()
    written_elsewhere(RecordStore(ADDRESS), "abc/.owner", seconds_ago=86_400.0)
    assert record.take_up()
    record.release()
    written_elsewhere(RecordStore(ADDRESS), "abc/.owner", seconds_ago=60.0)
    record.release_from({("another-machine", 2)})
    assert not record.take_up()
    record.release_from({("another-machine", 1)})
    assert record.take_up()
    assert record.take_up(), "a process may take up its own trial again"
    record.write_status(TrialState.RUNNING)
    assert record.state(1) is TrialState.RUNNING


def test_a_sign_that_is_damaged_is_replaced(s3):
    folder = Folder.at(ADDRESS)
    folder.write_file("owner.json", b"{")
    assert Sign(folder, "owner.json", SILENT).take() is None
    assert Sign(folder, "owner.json", SILENT).read().is_this_process
