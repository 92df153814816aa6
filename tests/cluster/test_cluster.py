"""Studies on a real Ray cluster of three nodes, and what a private Ray opens to the network."""

import json
import os
import platform
import shutil
import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest
import ray
import torch

import gmm_study
from gmm_study.orchestration.ray_internals import JOB_CONFIG
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.provenance import COMMIT_VARIABLE
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.run import TrialRun
from tests.cluster.nodes import (
    AUTOSCALED_CPUS,
    ENVIRONMENT,
    GPUS,
    VERSIONS,
    Cluster,
    isolated,
    undisturbed,
)
from tests.s3_server import KEY, SECRET
from tests.training.small import a_dataset, some_hyperparameters
from tests.workbench import Workbench, curves, figures, wait_until

pytestmark = pytest.mark.fault

LONG = 400
"""Epochs of a trial that is surely still running when it is looked at."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where the driver's own folder and a folder that all nodes see are made."""
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def bench(place):
    """A user's folder, which only the driver's machine has."""
    (place / "own").mkdir()
    return Workbench(place / "own", epochs=LONG)


@pytest.fixture(scope="module")
def cluster(bench):
    """Three nodes, of which one is another machine: it has its own name and no such folder."""
    with Cluster() as cluster:
        cluster.add()
        cluster.add(*isolated("second", bench.folder))
        cluster.add()
        yield cluster


@pytest.fixture
def _as_nodes(monkeypatch):
    """The driver computes and connects as the nodes do."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.usefixtures("_as_nodes")
def test_a_study_in_a_job_runs_on_all_nodes_with_its_code_and_data_and_the_same_figures(
    bench, cluster, place, monkeypatch
):
    copy = place / "copy"
    shutil.copytree(Path(gmm_study.__file__).parent, copy / "gmm_study")
    provenance = copy / "gmm_study" / "trials" / "provenance.py"
    provenance.write_text(
        provenance.read_text().replace("platform.system()", "'the system of the copy'")
    )
    monkeypatch.setenv("PYTHONPATH", str(copy))
    monkeypatch.setenv(COMMIT_VARIABLE, "c0ffee")
    store = RecordStore(str(place / "shared"))
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    said_by_the_job = {"env_vars": {COMMIT_VARIABLE: "0ther"}, "py_modules": ["gcs://other.zip"]}
    monkeypatch.setenv(JOB_CONFIG, json.dumps({"runtime_env": said_by_the_job, "metadata": {}}))
    driver = bench.start("run", "tiny", "--storage", store.storage)
    raylets = {node.pids["raylet"][0] for node in cluster.nodes}
    seen = set()

    def all_nodes_seen():
        for status in (store.record(trial).status() for trial in store.trial_ids()):
            with suppress(OSError):
                seen.add(parent_of(status.pid))
        return raylets <= seen or driver.poll() is not None

    wait_until(all_nodes_seen)
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 0, out + err
    assert raylets <= seen
    assert len(store.trial_ids()) == 4
    for trial_id in store.trial_ids():
        record = store.record(trial_id)
        assert record.result().machine["system"] == "the system of the copy"
        assert record.result().git_commit == "c0ffee"
        assert figures(record.result().to_json()) == undisturbed(bench, record)
    assert "second" in {store.record(trial).status().host for trial in store.trial_ids()}
    assert not [name for name in os.listdir(place / "shared") if name.startswith(".probe")]


@pytest.mark.usefixtures("_as_nodes")
def test_a_study_has_the_same_records_in_a_folder_in_a_bucket_and_on_three_nodes(
    bench, cluster, place, s3
):
    server = s3.endpoint.removeprefix("http://")
    query = f"region=us-east-1&scheme=http&endpoint_override={server}"
    bucket = f"s3://{KEY}:{SECRET}@studies/BENCH?{query}"
    few = ("--set", "max_epochs=4")
    stores = {
        name: RecordStore(address.replace("BENCH", name))
        for name, address in (("folder", str(place / "BENCH")), ("one", bucket), ("three", bucket))
    }
    for name, store in stores.items():
        where = ("--address", cluster.address) if name == "three" else ()
        ended = bench.run("run", "tiny", *few, *where, "--storage", store.given)
        assert SECRET not in ended.stdout + ended.stderr
        assert len(store.trial_ids()) == 4
    expected = {
        trial_id: (figures(record.result().to_json()), curves(record))
        for trial_id in stores["folder"].trial_ids()
        for record in [stores["folder"].record(trial_id)]
    }
    for store in (stores["one"], stores["three"]):
        for trial_id, same in expected.items():
            record = store.record(trial_id)
            assert (figures(record.result().to_json()), curves(record)) == same


@pytest.mark.usefixtures("_as_nodes")
def test_a_folder_that_a_node_does_not_share_is_refused_by_the_name_of_the_node(bench, cluster):
    error = bench.run("run", "tiny", "--address", cluster.address, status=2).stderr
    assert error.count("\n") == 1
    assert error.startswith("gmm-study: storage: node 'second' cannot see")
    assert not bench.results()


@pytest.mark.usefixtures("_as_nodes")
def test_a_node_that_lacks_the_package_of_a_method_is_refused(bench, cluster, place, monkeypatch):
    site = place / "site"
    (site / "own-1.0.dist-info").mkdir(parents=True)
    (site / "own-1.0.dist-info" / "METADATA").write_text("Name: own\nVersion: 1.0\n")
    points = "[gmm_study.methods]\nrloo = gmm_study_rloo:RLOO\n"
    (site / "own-1.0.dist-info" / "entry_points.txt").write_text(points)
    example = Path(__file__).parents[2] / "examples" / "rloo" / "gmm_study_rloo"
    shutil.copytree(example, site / "gmm_study_rloo")
    monkeypatch.setenv("PYTHONPATH", f"{site}:{os.environ.get('PYTHONPATH', '')}")
    asked = ("--set", "methods=[rloo]", "--address", cluster.address)
    error = bench.run("run", "tiny", *asked, "--storage", str(place / "all"), status=2).stderr
    assert error.count("\n") == 1
    assert error.startswith("gmm-study: address: node '")
    assert "method: 'rloo' is unknown" in error


@pytest.mark.usefixtures("_as_nodes")
def test_a_trial_that_fits_on_no_single_node_is_refused(bench, cluster):
    more = ("--set", "resources.cpus=2", "--address", cluster.address)
    error = bench.run("run", "tiny", *more, status=2).stderr
    assert error.count("\n") == 1
    assert "resources.cpus: a trial needs 2, but no node of Ray has more than 1" in error


@pytest.mark.usefixtures("_as_nodes")
def test_records_in_the_working_folder_of_a_ray_job_are_refused(bench, cluster, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    job = {"runtime_env": {"working_dir": "gcs://_ray_pkg_0123.zip"}, "metadata": {}}
    monkeypatch.setenv(JOB_CONFIG, json.dumps(job))
    error = bench.run("run", "tiny", status=2).stderr
    assert error.count("\n") == 1
    assert "is in the working folder of a Ray job" in error


def test_records_in_another_file_system_are_those_of_a_folder(tmp_path):
    dataset = a_dataset()
    config = TrialConfig(some_hyperparameters(max_epochs=3), dataset.name, dataset.sha256)
    stores = [RecordStore(f"fsspec+file://{tmp_path}/a"), RecordStore(str(tmp_path / "b"))]
    for store in stores:
        store.check_writable()
        stopped = TrialRun(config, dataset, range(1), store.record(config.trial_id))
        stopped.advance()
        stopped.pause()
        resumed = TrialRun(config, dataset, range(1), store.record(config.trial_id))
        while not resumed.finished:
            resumed.advance()
    away, here = (store.record(store.trial_ids()[0]) for store in stores)
    assert away.state(1) == "complete"
    assert figures(away.result().to_json()) == figures(here.result().to_json())
    assert curves(away) == curves(here)


@pytest.fixture
def silent():
    """The address of a socket that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ray://127.0.0.1:10001", "ray job submit"),
        ("http://127.0.0.1:8265", "ray job submit"),
        ("127.0.0.1", "must be HOST:PORT"),
        ("127.0.0.1:1", "nothing answers"),
        ("127.0.0.1:99999", "nothing answers"),
        ("no.such.host.invalid:6379", "nothing answers"),
    ],
)
def test_an_address_at_which_no_cluster_is_costs_one_line(tmp_path, address, said):
    bench = Workbench(tmp_path)
    before = bench.files()
    error = bench.call("run", "tiny", "--address", address, status=2).stderr
    assert error.count("\n") == 1
    assert f"address: '{address}'" in error or f"'{address}'" in error
    assert said in error
    assert bench.files() == before


def test_something_else_that_listens_at_the_address_costs_one_line(tmp_path, silent):
    bench = Workbench(tmp_path)
    error = bench.call("run", "tiny", "--address", silent, status=2).stderr
    assert error.count("\n") == 1
    assert "as the head of a Ray cluster" in error


def test_a_cluster_that_wants_a_token_or_has_no_node_here_is_refused_in_one_line(tmp_path):
    bench = Workbench(tmp_path)
    with Cluster() as guarded:
        node = guarded.add(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="right")
        bench.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "another"}
        error = bench.run("run", "tiny", "--address", guarded.address, status=2).stderr
        assert error.count("\n") == 1
        assert "requires a token, or a different one: set RAY_AUTH_MODE=token" in error
        os.kill(node.pids["raylet"][0], signal.SIGKILL)
        bench.environment["RAY_AUTH_TOKEN"] = "right"
        error = bench.run("run", "tiny", "--address", guarded.address, status=2).stderr
        assert error.count("\n") == 1
        assert "has no node on this machine: join with `ray start" in error
    assert not bench.results()


@pytest.mark.parametrize("versions", ["2.59.0 {python}", "{ray} 3.12.1"])
def test_a_cluster_of_other_versions_is_refused_in_one_line_that_names_both(tmp_path, versions):
    bench, python = Workbench(tmp_path), platform.python_version()
    there = versions.format(ray=ray.__version__, python=python)
    with Cluster() as cluster:
        cluster.add(**{VERSIONS: there})
        bench.environment = {"RAY_AUTH_MODE": "disabled"}
        error = bench.run("run", "tiny", "--address", cluster.address, status=2).stderr
    assert error.count("\n") == 1
    of_ray, of_python = there.split()
    assert f"Ray {of_ray}" in error
    assert f"this process Ray {ray.__version__}" in error
    if of_python != python:
        assert f"Python {of_python}" in error
        assert f"Python {python}; both must be the same" in error


def descendants(pid):
    """The processes that a process started, and those they did."""
    children = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            children.setdefault(parent_of(entry.name), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def listening(pid):
    """The addresses, in hexadecimal, at which a process listens."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            inodes.add(os.readlink(link).removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and inode in inodes:
                found.add(local.partition(":")[0])
    return found


def test_all_that_a_study_on_a_ray_of_its_own_opens_is_on_127_0_0_1(tmp_path):
    bench = Workbench(tmp_path, epochs=LONG)
    driver = bench.start("run", "tiny")
    wait_until(bench.statuses)
    places = {pid: listening(pid) for pid in descendants(driver.pid)}
    os.killpg(driver.pid, signal.SIGKILL)
    driver.communicate()
    assert sum(map(bool, places.values())) >= 3  # the head, the node, a trial
    loopback = {"0100007F", "0000000000000000FFFF00000100007F"}
    assert set().union(*places.values()) <= loopback, places


@pytest.mark.usefixtures("_as_nodes")
@pytest.mark.skipif(torch.cuda.is_available(), reason="torch can use a GPU here")
def test_a_study_trains_on_cpus_where_torch_cannot_use_the_gpu_that_ray_sees(tmp_path):
    bench = Workbench(tmp_path, epochs=1)
    with Cluster() as cluster:
        cluster.add(**{GPUS: "1"})
        output = bench.run("run", "tiny", "--address", cluster.address).stdout
    said = "1 trial at a time on 1 core each (torch cannot use the GPU that Ray sees)"
    assert said in output.splitlines()
    assert len(bench.results()) == 4


@pytest.mark.usefixtures("_as_nodes")
def test_a_study_waits_for_the_node_that_an_autoscaler_adds_for_it(tmp_path, fault):
    bench = Workbench(tmp_path, epochs=1)
    asked = ("--set", "resources.cpus=2", "--set", "resources.autoscaling=true")
    with Cluster() as cluster:
        cluster.add(**{AUTOSCALED_CPUS: "2"})
        driver = bench.start("run", "tiny", *asked, "--address", cluster.address)
        out, err = driver.communicate(timeout=300)
        assert driver.returncode == 0, out + err
    assert not err
    assert "1 trial at a time on 2 cores each (Ray sees no GPU)" in out.splitlines()
    assert len(bench.results()) == 4
    fault("a study waits for a node that an autoscaler adds")
