"""What is read is never run, names stay in their folders, and secrets stay out of what is shown."""

import ast
import os
import pickle
import signal
import zipfile
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from gmm_study.addresses import redact
from gmm_study.data import load_dataset
from gmm_study.errors import InputError
from gmm_study.study import load_study
from gmm_study.study.amend import label
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.run import TrialRun
from tests.training.small import a_dataset, some_hyperparameters
from tests.workbench import Workbench, answers, call, free_port, wait_until

ROOT = Path(__file__).parent.parent
SOURCES = [path for room in ("gmm_study", "analysis") for path in (ROOT / room).rglob("*.py")]
UNPICKLERS = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
READS_NO_FILE = ("from joblib import cpu_count", "from joblib import Parallel, delayed")
"""What is imported from a package that unpickles files: a count, and processes of its own."""
SECRET = "TOPSECRET"


class Payload:
    """Unpickled, it makes a file."""

    def __init__(self, proof):
        self.proof = str(proof)

    def __reduce__(self):
        return open, (self.proof, "w")


@pytest.fixture
def proof(tmp_path):
    """Where a payload writes, should it ever run; it does if it is unpickled."""
    path = tmp_path / "proof"
    pickle.loads(pickle.dumps(Payload(path))).close()
    assert path.exists()
    path.unlink()
    yield path
    assert not path.exists()


def called_as(node):
    return ast.unparse(node.func)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_source_unpickles_or_runs_what_it_reads(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom) and ast.unparse(node) not in READS_NO_FILE:
            modules = [getattr(node, "module", None), *(name.name for name in node.names)]
            assert not UNPICKLERS & {module.split(".")[0] for module in modules if module}
        if isinstance(node, ast.Call):
            called, given = called_as(node), {word.arg: word.value for word in node.keywords}
            assert called not in ("eval", "exec", "compile", "torch.load", "yaml.unsafe_load")
            assert not called.endswith(("read_pickle", "os.system"))
            if called == "yaml.load":
                assert ast.unparse(given["Loader"]) == "_Loader"  # made of SafeLoader
            for word in ("allow_pickle", "shell"):
                assert word not in given or given[word].value is False


@pytest.mark.parametrize(
    "value",
    ["!!python/object/apply:os.system ['touch {proof}']", "!!python/name:os.system", "!x {{}}"],
)
def test_a_study_file_that_asks_for_python_is_refused(value, tmp_path, proof):
    bench = Workbench(tmp_path)
    text = (tmp_path / "studies" / "tiny.yaml").read_text()
    bench.write_study(f"{text}question2: {value.format(proof=proof)}\n")
    said = bench.call("plan", "tiny", status=2).stderr
    assert len(said.splitlines()) == 1
    assert "could not determine a constructor" in said
    override = f"seed={value.format(proof=proof)}"
    assert "invalid YAML" in bench.call("plan", "tiny", "--set", override, status=2).stderr


def refused(name):
    with pytest.raises(InputError) as error:
        load_dataset(str(name))
    assert len(str(error.value).splitlines()) == 1


def test_pickles_in_data_files_are_refused(tmp_path, proof, monkeypatch):
    content = pickle.dumps(Payload(proof))
    objects = np.array([Payload(proof)], dtype=object)
    np.savez(tmp_path / "objects.npz", train=objects, valid=objects, test=objects)
    refused(tmp_path / "objects.npz")
    (tmp_path / "plain.npz").write_bytes(content)
    refused(tmp_path / "plain.npz")
    (tmp_path / "folder").mkdir()
    for split in ("train", "valid", "test"):
        (tmp_path / "folder" / f"{split}.csv").write_bytes(content)
    refused(tmp_path / "folder")
    published = tmp_path / "silhouettes" / "caltech101_silhouettes_28_split1.mat"
    published.parent.mkdir()
    published.write_bytes(content)
    monkeypatch.setenv("GMM_STUDY_DATA", str(tmp_path))
    refused("silhouettes")


def test_an_archive_puts_no_file_anywhere(tmp_path):
    Workbench(tmp_path)
    archive = tmp_path / "data.npz"
    with zipfile.ZipFile(archive, "a") as zipped:
        zipped.writestr("../../outside.npy", b"x")
        zipped.writestr(f"{tmp_path}/outside.npy", b"x")
    before = set(tmp_path.parent.rglob("outside*"))
    assert load_dataset(str(archive)).dims == 12
    assert set(tmp_path.parent.rglob("outside*")) == before


@pytest.fixture
def trained(tmp_path):
    """A record of a complete trial in a store."""
    dataset = a_dataset()
    hyperparameters = some_hyperparameters(max_epochs=2, evaluation_samples=2)
    config = TrialConfig(hyperparameters, dataset.name, dataset.sha256)
    store = RecordStore(str(tmp_path / "results"))
    found = SimpleNamespace(store=store, config=config, record=store.record(config.trial_id))

    def train():
        run = TrialRun(config, dataset, range(2), found.record)
        while not run.finished:
            run.advance()
        return run

    train()
    found.train, found.folder = train, tmp_path / "results" / config.trial_id
    return found


def hostile_table(proof):
    """Curves whose values say that they are of a Python type that is to be unpickled."""
    kind = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(Payload(proof)),
    }
    fields = [pa.field("epoch", pa.int32()), pa.field("value", pa.float64(), metadata=kind)]
    sink = pa.BufferOutputStream()
    table = pa.table([pa.array([1], pa.int32()), pa.array([1.0])], schema=pa.schema(fields))
    pyarrow.parquet.write_table(table, sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.sampled
@pytest.mark.parametrize(
    "name",
    ["config.json", "status.json", "result.json", "metrics.parquet", "datapoints.parquet"],
)
@pytest.mark.parametrize("kind", ["pickle", "shape", "parquet"])
def test_a_hostile_record_costs_itself_alone(trained, proof, name, kind, tmp_path, monkeypatch):
    contents = {
        "pickle": pickle.dumps(Payload(proof)),
        "shape": b'{"py/object": "os.system", "state": ["x"], "replicates": {"0": 1, "1": 2}}',
        "parquet": hostile_table(proof),
    }
    (trained.folder / name).write_bytes(contents[kind])
    from analysis.frames import load

    load(trained.store)
    assert trained.record.state(2) in ("failed", "complete")
    from gmm_study.tracking.account import account_of

    if name in ("result.json", "metrics.parquet"):
        with pytest.raises(ValueError, match=r"."):
            _ = account_of(trained.record, 2).curves
    if name == "datapoints.parquet":
        with pytest.raises(ValueError, match=r"datapoints\.parquet cannot be read"):
            trained.record.datapoints()


def test_a_checkpoint_that_is_a_pickle_is_refused_or_trained_again(trained, proof, tmp_path):
    content = pickle.dumps(Payload(proof))
    (trained.folder / "checkpoint" / "model.safetensors").write_bytes(content)
    said = call(tmp_path, "evaluate", trained.folder, status=2).stderr
    assert len(said.splitlines()) == 1
    (trained.folder / "checkpoint" / "training.safetensors").write_bytes(content)
    (trained.folder / "result.json").unlink()
    assert trained.train().finished
    assert trained.record.state(2) == "complete"


def test_a_record_does_not_say_what_its_trial_is_called(trained):
    document = trained.config.to_json() | {"trial_id": "../../outside"}
    assert TrialConfig.from_json(document).trial_id == trained.config.trial_id


@pytest.mark.parametrize("trial_id", ["../outside", "/outside", "..", ".", "", "a/b", "a\\b\0"])
def test_a_trial_id_is_no_path(trial_id, tmp_path):
    with pytest.raises(InputError, match="trial id"):
        RecordStore(str(tmp_path)).record(trial_id)


@pytest.mark.parametrize(
    "override",
    ["seed=../../x", "dataset=/etc/x", "a=..", "a=\\..\\", "dataset=a\n/../b", "../..=1"],
)
def test_a_variant_is_one_folder_below_its_study(override):
    for small in (False, True):
        parts = Path("reports") / "study" / label(small, [override, override])
        assert len(parts.parts) == 3
        assert ".." not in parts.parts
        assert "/" not in parts.name


@pytest.mark.parametrize("path", ["..yaml", "../..yaml", "x/.hidden.yaml", ".yaml/..yaml"])
def test_a_study_cannot_be_called_like_a_way_out(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        load_study(path)


@pytest.mark.parametrize("name", ["debd/../../x", "debd/..", "../x", "/x/y", "debd//etc/passwd"])
def test_a_data_set_that_is_no_name_and_no_file_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.setenv("GMM_STUDY_DATA", str(tmp_path))
    refused(name)


def test_a_folder_of_data_may_be_a_link(tmp_path):
    folder = tmp_path / "there"
    folder.mkdir()
    for split in ("train", "valid", "test"):
        (folder / f"{split}.csv").write_text("1,0\n0,1\n")
    (tmp_path / "link").symlink_to(folder)
    assert load_dataset(str(tmp_path / "link")).dims == 2


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"http://user:{SECRET}@host:5000/x", "http://***@host:5000/x"),
        (f"see 's3://KEY:{SECRET}@bucket/x': no", "see 's3://***@bucket/x': no"),
        (f"s3://KEY:a/{SECRET} b@bucket", "s3://***@bucket"),
        (f"s3://b?access_key={SECRET}&region=eu", "s3://b?access_key=***&region=eu"),
        (f"x://h/y?z=1&Session_Token={SECRET}#f", "x://h/y?z=1&Session_Token=***#f"),
        (f"postgresql+psycopg2://u:a@{SECRET}@h/d", "postgresql+psycopg2://***@h/d"),
        ("file:///home/a@b/c", "file:///home/a@b/c"),
        ("sqlite:///mlflow.db, mail a@b.c", "sqlite:///mlflow.db, mail a@b.c"),
        ("abfss://container@account.net/x", "abfss://container@account.net/x"),
        (f"abfss://container:{SECRET}@account.net/x", "abfss://***@account.net/x"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address, shown):
    assert redact(address) == shown


@pytest.mark.parametrize(
    "storage",
    [
        f"http://user:{SECRET}@host/x",
        f"s3://KEY:{SECRET}/x@bucket",
        f"s3://KEY:{SECRET} x@bucket",
        f"s3://bucket/x?secret_key={SECRET}&nonsense=1",
        f"hdfs://user:{SECRET}@host:1/x",
        f"file://user:{SECRET}@host/x",
    ],
)
def test_an_address_that_cannot_be_used_is_told_without_its_secrets(storage, tmp_path):
    bench = Workbench(tmp_path)
    ended = bench.call("status", "tiny", "--storage", storage, status=2)
    assert len(ended.stderr.splitlines()) == 1
    tables = bench.call("tables", "--storage", storage, status=2)
    for said in (ended.stderr, tables.stderr):
        assert "storage" in said
        assert SECRET not in said


def sockets_of(pid):
    """The addresses that a process and its children listen on, as /proc has them."""
    pids = [str(pid)]
    for one in pids:
        for tasks in Path(f"/proc/{one}/task").glob("*/children"):
            pids += tasks.read_text().split()
    links = [link for one in pids for link in Path(f"/proc/{one}/fd").glob("*")]
    inodes = {os.readlink(link) for link in links if link.is_symlink()}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                found.add(fields[1].rpartition(":")[0])
    return found


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "host", "listens"),
    [([], "127.0.0.1", "0100007F"), (["--host", "127.0.0.2"], "127.0.0.2", "0200007F")],
)
def test_the_ui_listens_where_it_is_told_and_answers_there(tmp_path, words, host, listens):
    bench, port = Workbench(tmp_path), free_port()
    served = bench.start("ui", "--port", str(port), *words)
    try:
        wait_until(lambda: answers(port, host))
        assert sockets_of(served.pid) == {listens}
        body = b'{"max_results": 1}'
        for name, status in ((f"{host}:{port}", 200), ("elsewhere.example", 403)):
            connection = HTTPConnection(host, port, timeout=120)
            headers = {"Host": name, "Origin": f"http://{name}", "Content-Type": "application/json"}
            connection.request("POST", "/api/2.0/mlflow/experiments/search", body, headers)
            assert connection.getresponse().status == status
            connection.close()
    finally:
        os.killpg(served.pid, signal.SIGKILL)
        served.communicate()
    assert (tmp_path / "mlflow.db").exists()
