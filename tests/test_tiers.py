"""The quick tier of tests stays quick."""

import os
import subprocess
import sys

import pytest


def test_a_test_without_the_marker_cannot_start_a_process():
    for start in (
        lambda: subprocess.run([sys.executable, "-c", ""], check=True),
        lambda: os.system("true"),
        os.fork,
    ):
        with pytest.raises(RuntimeError, match="mark a test that starts a process"):
            start()


@pytest.mark.process
def test_a_test_with_the_marker_can():
    assert subprocess.run([sys.executable, "-c", ""]).returncode == 0
