"""The help tells the story, and a mistake in a command's words is told in one line."""

import pytest
import rich_click as click

from gmm_study.cli import GROUPS, cli
from tests.workbench import call


def leaves(group, words=()):
    """Every command below a group, with the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*words, name))
        else:
            yield pytest.param((*words, name), command, id=" ".join((*words, name)))


def test_the_help_tells_the_story_in_ten_lines_and_names_every_command(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = call(tmp_path, "--help").stdout
    story = [line.strip() for line in text.partition("╭")[0].splitlines() if line.strip()][2:]
    assert len(story) == 10
    for word in ("new", "plan", "run", "status", "report", "ui", "train", "evaluate"):
        assert any(word in line for line in story)
    for name, commands in GROUPS.items():
        assert name in text
        assert all(f" {command.name} " in text for command in commands)
    assert {command for commands in GROUPS.values() for command in commands} == set(
        cli.commands.values()
    )


@pytest.mark.parametrize(("words", "command"), leaves(cli))
def test_every_command_and_option_has_a_help_and_equal_options_look_alike(words, command):
    assert command.help
    for option in (p for p in command.params if isinstance(p, click.Option)):
        assert option.help, option.name
        shown = (option.metavar, type(option.type).__name__, option.is_flag)
        if option.opts[0] not in OF_THEIR_OWN:
            assert LOOKS.setdefault(option.opts[0], shown) == shown


LOOKS: dict[str, tuple] = {}
OF_THEIR_OWN = {"--output", "--samples", "--seed", "--z-samples"}
"""A folder or a file; one K or several; `train` reads its hyperparameters itself."""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Missing command; `gmm-study --help`"),
        (["data"], "`gmm-study data --help`"),
        (["pln"], "Did you mean 'plan'?"),
        (["nonsense"], "'nonsense'; `gmm-study --help`"),
        (["run", "--smal"], "Did you mean '--small'?"),
        (["--nonsense"], "'--nonsense'; `gmm-study --help`"),
        (["plan"], "'NAME'; `gmm-study plan --help`"),
        (["plan", "a", "b"], "(b); `gmm-study plan --help`"),
        (["ui", "--port", "0"], "'--port': 0 is not in the range"),
        (["completion", "tcsh"], "'tcsh' must be one of bash, zsh, fish"),
    ],
)
def test_words_that_are_no_command_cost_one_line(tmp_path, words, said):
    refused = call(tmp_path, *words, status=2)
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert refused.stdout == ""
