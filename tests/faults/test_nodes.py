"""Faults of a real cluster of three nodes while a study runs on it."""

import os
import signal
from pathlib import Path

import pytest

from gmm_study.trials.record import RecordStore
from tests.cluster.nodes import ENVIRONMENT, Cluster, isolated, undisturbed
from tests.workbench import Workbench, figures, wait_until

pytestmark = pytest.mark.fault

LONG = 250
"""Epochs of a trial that is surely still running when its node is to die."""


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
    workers = {status["pid"] for status in bench.statuses().values()}
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    bench.run("run", "tiny")
    nothing_was_lost(bench)
    fault("the head of a cluster killed with SIGKILL, the study run again", 1)
