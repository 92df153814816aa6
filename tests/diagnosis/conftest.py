import pytest

from tests.diagnosis.made_to_fail import Runs


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Runs that are trained when they are first asked for."""
    return Runs(tmp_path_factory.mktemp("runs"))
