import pytest

from tests.cli.trained import Commands, train, write_bits


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
def commands(tmp_path, monkeypatch, capsys):
    return Commands(tmp_path, monkeypatch, capsys)
