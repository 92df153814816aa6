"""What takes its time says so on a terminal, and leaves a pipe alone."""

from unittest.mock import patch

from gmm_study.api.datasets import read_dataset
from gmm_study.cli.console import working


def test_a_terminal_is_told_what_is_being_done_and_a_pipe_is_not(capsys):
    for terminal in (True, False):
        with patch("rich.console.Console.is_terminal", terminal), working("counting"):
            pass
        said = capsys.readouterr()
        assert ("counting ..." in said.err) == terminal
        assert said.out == ""


def test_the_reading_of_data_is_told_and_a_download_is_left_to_its_own_bar(capsys, bench):
    def found(name):
        return name

    with patch("rich.console.Console.is_terminal", True):
        assert read_dataset("digits", working, found) == "digits"
        assert "reading digits" in capsys.readouterr().err
        assert read_dataset("mushrooms", working, found) == "mushrooms"
        assert capsys.readouterr().err == ""
