import pytest

from tests.workbench import Workbench


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A user's folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GMM_STUDY_DATA", raising=False)
    return Workbench(tmp_path)
