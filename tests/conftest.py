"""What tests of several rooms start from."""

import shutil

import pytest


@pytest.fixture
def epochs_trained(monkeypatch):
    """The replicates of every epoch that is trained from here on."""
    from gmm_study.training.group import ReplicateGroup

    trained, original = [], ReplicateGroup.train_epoch

    def train_epoch(group, data):
        trained.extend(group.replicates)
        return original(group, data)

    monkeypatch.setattr(ReplicateGroup, "train_epoch", train_epoch)
    return trained


@pytest.fixture(scope="session")
def chromium():
    """A browser without a window."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
