"""What a package declares wrongly costs a line where it is used, and touches nothing else."""

import pytest

from gmm_study.data import load_dataset
from gmm_study.errors import InputError
from gmm_study.training.build import build_model, build_objective
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.methods import method_named

METHOD = "from gmm_study.training.method import *\n"
DATASET = """
import numpy as np
from gmm_study.data import NamedDataset

def build(rows=4, columns=3, value=1):
    return {split: np.full((rows, columns), value) for split in ("train", "valid", "test")}

def declare(name, build, **known):
    return NamedDataset(name, 3, (4, 4, 4), "a test", build=build, **known)
"""


def line_of(action, *arguments):
    with pytest.raises(InputError) as error:
        action(*arguments)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("import a_module_that_is_not_there", "ModuleNotFoundError: No module named"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("x = 1", "AttributeError"),
        ("METHOD = {}", "it is of type dict, not gmm_study.training.method.Method"),
        (
            f"{METHOD}METHOD = Method(name='b', summary='', model=SBN, objective='x:y')",
            "it has the name 'b'",
        ),
        (
            f"{METHOD}METHOD = Method(name='a', summary='', model=SBN, objective='x:y', "
            "reads=('q_baselin',))",
            "did you mean 'q_baseline'?",
        ),
        (
            f"{METHOD}METHOD = Method(name='a', summary='', model=VAE, objective='x:y', "
            "has_p_star=True)",
            "only a belief network can have",
        ),
    ],
)
def test_a_method_that_cannot_be_used_says_whose_it_is_and_why(install, module, reason):
    install("maker", module, methods="a = maker:METHOD")
    line = line_of(method_named, "a")
    assert "'a' of the package maker (entry point a = maker:METHOD)" in line
    assert reason in line


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    """Every test has a module `maker` of its own."""
    import sys

    from gmm_study.data.registry import DATASETS
    from gmm_study.training import hyperparameters
    from gmm_study.training.methods import METHODS

    for catalogue in (METHODS, DATASETS):
        monkeypatch.setattr(catalogue, "_loaded", {})
    for name in ("maker", "other"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    hyperparameters._read_where.cache_clear()


def test_a_fault_costs_a_line_on_the_command_line_where_it_is_used_alone(install, bench):
    install("maker", "raise ValueError('no')", methods="a = maker:M", datasets="d = maker:D")
    tiny = ("--layers", "3", "--max-epochs", "1", "--evaluation-samples", "2")
    assert "complete" in bench.call("train", "--dataset", "data.npz", *tiny).stdout
    for options in (("--method", "a"), ("--dataset", "d")):
        said = bench.call("train", *tiny, *options, status=2).stderr
        assert "the package maker" in said
        assert len(said.splitlines()) == 1
    bench.write_study("question: x\ndatasets: [data.npz]\nmethods: [gmm, a]\n")
    said = bench.call("plan", "tiny", status=2).stderr
    assert "methods" in said
    assert "the package maker" in said
    for command, built_in in ((["methods"], "rws"), (["data", "list"], "bars")):
        said = bench.call(*command)
        assert built_in in said.stdout
        assert "the package maker" in said.stderr


def test_a_built_in_name_stays_built_in_and_the_list_says_so(install, bench):
    install("maker", "raise ValueError('no')", methods="gmm = maker:M", datasets="bars = maker:D")
    assert method_named("gmm").summary.startswith("geometric")
    assert load_dataset("bars").dims == 16
    for command in (["methods"], ["data", "list"]):
        (line,) = bench.call(*command).stderr.splitlines()
        assert "the package maker" in line
        assert "that name is built in" in line


def test_a_name_of_two_packages_is_neither_s(install):
    for package in ("maker", "other"):
        install(package, "", methods=f"a = {package}:M")
    assert "the packages maker and other; uninstall one" in line_of(method_named, "a")


@pytest.mark.parametrize(
    ("objective", "reason"),
    [
        ("nowhere:Objective", "'nowhere:Objective' cannot be imported: ModuleNotFoundError"),
        ("builtins:dict", "dict must have 'samples'"),
        ("builtins:len", "len() takes no keyword arguments"),
    ],
)
def test_an_objective_that_cannot_be_made_is_said_in_a_line(install, objective, reason):
    method = f"Method(name='a', summary='', model=SBN, objective='{objective}')"
    install("maker", f"{METHOD}METHOD = {method}", methods="a = maker:METHOD")
    settings = Hyperparameters.from_mapping({"method": "a", "layers": [2]})
    line = line_of(build_objective, settings)
    assert line.startswith("method: the objective of 'a'")
    assert reason in line


def test_a_method_may_bring_a_model_of_its_own_and_name_the_settings_it_reads(install):
    lines = f"""{METHOD}
from gmm_study.models import SigmoidBeliefNetwork

class Network(SigmoidBeliefNetwork):
    pass

KIND = ModelKind(name="own", build=Network, reads=("top_prior",), belief_network=True)
METHOD = Method(name="a", summary="", model=KIND, objective="builtins:dict", reads=("bound",))
"""
    install("maker", lines, methods="a = maker:METHOD")
    settings = Hyperparameters.from_mapping({"method": "a", "layers": [2], "top_prior": "fixed"})
    model = build_model(settings, 3, [0, 1])
    assert type(model).__name__ == "Network"
    assert not model.learns_top_prior
    assert {"top_prior", "bound"} < set(settings.names_read)
    assert not {"l1", "q_baseline", "initial_bias"} & set(settings.names_read)


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ("declare('d', 'maker:nothing')", "'maker:nothing' cannot be imported: AttributeError"),
        ("declare('d', lambda: 1 / 0)", "its build failed: ZeroDivisionError: division by zero"),
        ("declare('d', dict)", "must return a mapping of train, valid, test"),
        ("declare('d', lambda: build(value=2))", "value 2; every value must be 0 or 1"),
        ("declare('d', lambda: build(rows=5))", "shape (5, 3); data set 'd' has (4, 3) there"),
        ("declare('d', lambda: build(columns=2))", "shape (4, 2); data set 'd' has (4, 3) there"),
        ("declare('d', build, image_shape=(2, 2))", "does not fit 3 columns"),
        ("declare('d', build, sha256='0')", "expected 0"),
        ("declare('d', None)", "it must have either build or files"),
        ("7", "it is of type int, not gmm_study.data.registry.NamedDataset"),
    ],
)
def test_a_data_set_that_is_not_as_declared_is_refused_in_a_line(install, declared, reason):
    install("maker", f"{DATASET}\nD = {declared}\n", datasets="d = maker:D")
    line = line_of(load_dataset, "d")
    assert "'d'" in line
    assert reason in line


def test_a_data_set_that_is_as_declared_is_loaded_and_a_path_remains_a_path(install, bench):
    install("maker", f"{DATASET}\nD = declare('d/e', build)\n", datasets="d/e = maker:D")
    dataset = load_dataset("d/e")
    assert (dataset.name, dataset.dims, len(dataset.test)) == ("d/e", 3, 4)
    assert load_dataset(str(bench.folder / "data.npz")).dims == 12
