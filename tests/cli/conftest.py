import pytest

from tests.cli.trained import Commands, train, write_bits
from tests.workbench import Workbench


@pytest.fixture(scope="session")
def records(tmp_path_factory):
    """Records of gmm with two replicates, rws and vae on digits, and of gmm on other data."""
    folder = tmp_path_factory.mktemp("records")
    write_bits(folder / "bits.npz")
    train(folder / "gmm", replicates=2)
    train(folder / "rws", method="rws")
    train(folder / "vae", method="vae")
    train(folder / "bits", str(folder / "bits.npz"))
    return folder


@pytest.fixture
def commands(tmp_path):
    return Commands(tmp_path)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A user's folder, with no folder of data sets, nothing in the cache and no network."""
    monkeypatch.delenv("GMM_STUDY_DATA", raising=False)
    monkeypatch.setenv("GMM_STUDY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    return Workbench(tmp_path)
