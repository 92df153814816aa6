"""Faults of a real cluster of three nodes while a study runs on it."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from gmm_study.trials.record_store import RecordStore
from tests.cluster.nodes import ENVIRONMENT, Cluster, isolated, undisturbed
from tests.workbench import Workbench, figures, wait_until

pytestmark = pytest.mark.fault

LONG = 500
"""Epochs of a trial that is surely still running when its node dies and Ray notices it."""


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A user's folder, and an environment as the nodes have it."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return Workbench(tmp_path, epochs=LONG)


def nothing_was_lost(bench):
    store = RecordStore(str(bench.folder / "results"))
    assert len(bench.results()) == 4
    for trial_id, result in bench.results().items():
        assert figures(result) == undisturbed(bench, store.record(trial_id))


def running(bench, host):
    """The trials that a host trains, by id, with what they have reached."""
    return {
        trial_id: status
        for trial_id, status in bench.statuses().items()
        if status["state"] == "running" and status["epoch"] and status["host"] == host
    }


def test_a_raylet_killed_with_sigkill(bench, fault, times, tmp_path_factory):
    count = times(3, 1)
    with Cluster() as cluster:
        cluster.add()
        nowhere = tmp_path_factory.mktemp("hidden")
        hosts = [f"host{number}" for number in range(count + 1)]
        nodes = {host: cluster.add(*isolated(host, nowhere)) for host in hosts}
        driver = bench.start("run", "tiny", "--address", cluster.address)
        for host in hosts[:count]:
            wait_until(lambda host=host: running(bench, host))
            taken = running(bench, host)
            os.kill(nodes[host].pids["raylet"][0], signal.SIGKILL)
            wait_until(
                lambda taken=taken, host=host: all(
                    bench.statuses()[trial_id]["host"] != host for trial_id in taken
                )
            )
            if host != hosts[count - 1]:
                more = f"more-{host}"
                nodes[more] = cluster.add(*isolated(more, nowhere))
        out, err = driver.communicate(timeout=300)
        assert driver.returncode == 0, out + err
    left = "node '{}' has left the cluster; its trials continue on another node"
    for host in hosts[:count]:
        assert out.splitlines().count(left.format(host)) == 1
    assert "aylet" not in out + err  # nothing of Ray's
    assert not err
    nothing_was_lost(bench)
    fault("a raylet killed with SIGKILL in a cluster, another host takes its trial up", count)


def test_the_head_of_a_cluster_killed_with_sigkill(bench, fault):
    with Cluster() as cluster:
        for _ in range(3):
            cluster.add()
        driver = bench.start("run", "tiny", "--address", cluster.address)
        wait_until(lambda: any(status["epoch"] for status in bench.statuses().values()))
        os.kill(cluster.nodes[0].pids["gcs_server"][0], signal.SIGKILL)
        out, err = driver.communicate(timeout=300)
        assert driver.returncode == 2, out + err
        assert err.count("\n") == 1, err
        assert "no longer answers" in err
        assert "aylet" not in out
    workers = {status["pid"] for status in bench.statuses().values()}
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    bench.run("run", "tiny")
    nothing_was_lost(bench)
    fault("the head of a cluster killed with SIGKILL, the study run again")


@pytest.fixture
def endless(bench):
    """The same with trials that end only with the study."""
    return Workbench(bench.folder, epochs=10**6)


KILLED_AT_ITS_FIRST_CHECK = """
import os, pathlib, signal, sys

class Killed:
    def find_spec(self, name, path=None, target=None):
        killed = pathlib.Path({killed!r})
        worker = "default_worker" in " ".join(sys.orig_argv)
        if name == "gmm_study.trials.run" and worker and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)

sys.meta_path.insert(0, Killed())
"""


def test_a_node_that_joins_a_running_study_is_checked_and_trains(endless, fault, tmp_path_factory):
    """Its first check is killed, as by a machine without memory, and it is checked once more."""
    site = tmp_path_factory.mktemp("site")
    killed = site / "killed"
    (site / "sitecustomize.py").write_text(KILLED_AT_ITS_FIRST_CHECK.format(killed=str(killed)))
    with Cluster() as cluster:
        cluster.add()
        driver = endless.start("run", "tiny", "--address", cluster.address)
        wait_until(lambda: any(status["epoch"] for status in endless.statuses().values()))
        late = isolated("late", tmp_path_factory.mktemp("hidden"))
        cluster.add(*late, PYTHONPATH=str(site))
        wait_until(lambda: running(endless, "late") or driver.poll() is not None)
        driver.terminate()
        out, err = driver.communicate(timeout=300)
        assert driver.returncode == 130, out + err
    assert killed.exists()
    assert "node 'late' has joined the cluster" in out.splitlines()
    assert {status["host"] for status in endless.statuses().values()} > {"late"}
    assert not err
    fault("a node joins a running study and trains")


def test_a_node_that_joins_without_the_storage_trains_nothing_and_stops_the_study(endless, fault):
    with Cluster() as cluster:
        cluster.add()
        driver = endless.start("run", "tiny", "--address", cluster.address)
        wait_until(lambda: any(status["epoch"] for status in endless.statuses().values()))
        cluster.add(*isolated("stranger", endless.folder))
        out, err = driver.communicate(timeout=300)
        assert driver.returncode == 2, out + err
    assert err.count("\n") == 1, err
    assert err.startswith("gmm-study: storage: node 'stranger' cannot see")
    (kept,) = endless.statuses().values()  # of the trial of the node that was there
    assert kept["epoch"]
    assert kept["host"] != "stranger"
    assert not list((endless.folder / "results").glob(".nodes*"))
    fault("a node joins a running study and does not share its storage")


def children(pid):
    """The names of the processes that a process has started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    with suppress(OSError):
        return {Path(f"/proc/{child}/comm").read_text() for child in listed.read_text().split()}
    return set()


@pytest.mark.parametrize("started", ["gcs_server", "raylet"])
def test_a_driver_ended_with_sigterm_while_ray_starts(tmp_path, fault, started):
    bench = Workbench(tmp_path, epochs=LONG)
    driver = bench.start("run", "tiny")
    wait_until(lambda: f"{started}\n" in children(driver.pid))
    driver.terminate()
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 130, out + err
    assert out.endswith("interrupted; progress is saved, and the same command continues\n")
    assert not err
    fault(f"a driver ended with SIGTERM as soon as Ray's {started} runs")


def test_a_driver_ended_with_sigterm_while_it_trains(tmp_path, fault):
    bench = Workbench(tmp_path, epochs=10**6)
    driver = bench.start("run", "tiny")
    wait_until(lambda: any(status["epoch"] for status in bench.statuses().values()))
    driver.terminate()
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 130, out + err
    assert out.endswith("interrupted; progress is saved, and the same command continues\n")
    assert not err
    assert all(status["state"] == "pending" for status in bench.statuses().values())
    fault("a driver ended with SIGTERM while it trains")


def test_a_local_ray_that_dies_costs_one_line(tmp_path, fault):
    bench = Workbench(tmp_path, epochs=LONG)
    driver = bench.start("run", "tiny")
    wait_until(lambda: any(status["epoch"] for status in bench.statuses().values()))
    names = f"/proc/{driver.pid}/task/{driver.pid}/children"
    for child in Path(names).read_text().split():
        if Path(f"/proc/{child}/comm").read_text() == "gcs_server\n":
            os.kill(int(child), signal.SIGKILL)
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 2, out + err
    assert err == "gmm-study: Ray has ended; the progress is kept, and the same command continues\n"
    bench.environment = {"GMM_STUDY_EAGER": "1"}
    bench.run("run", "tiny")
    assert len(bench.results()) == 4
    fault("the head of a local Ray killed with SIGKILL, the study run again")
