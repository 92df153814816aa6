"""Whether a command could run, as far as that can be said without running it."""

import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable
from importlib.util import find_spec

import click

from gmm_study.cli import cli
from gmm_study.errors import InputError
from gmm_study.study import load_study
from gmm_study.training.hyperparameters import Hyperparameters
from tests.docs.pages import ROOT

PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*")
ON_A_STUDY = ("plan", "run", "status", "report", "sync")
MAKES_OWN = {"MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "ARGS"}
VARIABLES = {"NAME", "DATASET", "STORAGE", "ADDRESS", "ARGS", "PYTHON"}
ELSEWHERE = {
    "cd",
    ".",
    "export",
    "cat",
    "ls",
    "head",
    "git",
    "kubectl",
    "docker",
    "ssh",
    "mlflow",
    "pip",
}
"""Programs whose words are nobody's here to check, but for the files of the project they name."""
WRITTEN_BY_HAND = (
    "studies/",
    "docs/",
    "cluster/",
    "examples/",
    "tests/",
    "gmm_study/",
    "analysis/",
)


class CommandError(Exception):
    """What is wrong with a command."""


def check(command: str, written: frozenset[str] = frozenset()) -> None:
    """Raise `CommandError` unless the command's program, options, values and files are there.

    `written` are the files that the reader has written before it.
    """
    words = shlex.split(command.replace("\\\n", " "), comments=True)
    while words and re.fullmatch(r"\w+=.*", words[0]):
        words = words[1:]
    if not words:
        raise CommandError("no command")
    program, *rest = words
    name = program.removeprefix(".venv/bin/")
    checks: dict[str, Callable[[list[str]], None]] = {
        "gmm-study": lambda words: check_gmm_study(words, written),
        "make": lambda words: check_make(words, written),
        "python": lambda words: _check_python(words, written),
        "ray": lambda words: _check_after("--", words, written),
        "sbatch": lambda words: _check_script(words, written),
        "cluster/machines.sh": lambda words: _check_files([program]),
    }
    if name in checks:
        checks[name](rest)
    elif name in ELSEWHERE:
        _check_files([word for word in rest if word.startswith(WRITTEN_BY_HAND)], written)
    else:
        raise CommandError(f"no check is known for '{program}'")


def check_gmm_study(words: list[str], written: frozenset[str] = frozenset()) -> None:
    """Raise `CommandError` unless command, options, study and settings are usable."""
    context = click.Context(cli, info_name="gmm-study")
    command: click.Command = cli
    try:
        while isinstance(command, click.Group):
            if not words or words[0] in ("--help", "--version"):
                return
            name, found, words = command.resolve_command(context, list(words))
            assert found is not None
            command, context = found, click.Context(found, parent=context, info_name=name)
        if "--help" in words:
            return
        context = command.make_context(command.name, list(words), parent=context.parent)
        _check_values(command.name or "", context.params, written)
    except (click.ClickException, InputError) as error:
        raise CommandError(str(error)) from error


def _check_values(command: str, given: dict, written: frozenset[str]) -> None:
    if command in ON_A_STUDY and not PLACEHOLDER.fullmatch(given["name"]):
        if f"studies/{given['name']}.yaml" in written:
            return
        dataset = (f"dataset={given['dataset']}",) if given["dataset"] else ()
        load_study(given["name"], (*dataset, *given["overrides"]), given["small"])
    if command == "train":
        settings = {name: value for name, value in given.items() if value is not None}
        names = Hyperparameters.__dataclass_fields__
        settings = {name: value for name, value in settings.items() if name in names}
        if settings.get("method") in methods_of_examples():
            settings.pop("method")
        Hyperparameters.from_mapping(settings).refuse_unread(settings)


def methods_of_examples() -> set[str]:
    """The methods that the packages in `examples` add once they are installed."""
    declared = [tomllib.loads(path.read_text()) for path in ROOT.glob("examples/*/pyproject.toml")]
    groups = [each["project"].get("entry-points", {}) for each in declared]
    return {name for group in groups for name in group.get("gmm_study.methods", ())}


def check_make(words: list[str], written: frozenset[str] = frozenset()) -> None:
    """Raise `CommandError` unless target and variables are there and what it calls is right."""
    for word in words:
        name, is_variable, _ = word.partition("=")
        if is_variable and name not in VARIABLES:
            raise CommandError(f"make knows no variable {name}")
    # With nothing to install, whatever the age of the environment.
    asked = ["make", "-n", "-o", ".venv/.installed", *words]
    # Variables given to a `make test` around this reach its processes in MAKEFLAGS.
    settings = {name: value for name, value in os.environ.items() if name not in MAKES_OWN}
    done = subprocess.run(asked, cwd=ROOT, env=settings, capture_output=True, text=True)
    if done.returncode:
        raise CommandError(done.stderr.strip())
    for line in done.stdout.splitlines():
        called = shlex.split(line, comments=True)
        if called and called[0] == ".venv/bin/gmm-study":
            check_gmm_study(called[1:], written)


def _check_python(words: list[str], written: frozenset[str]) -> None:
    if words[0] == "-m":
        if find_spec(words[1]) is None:
            raise CommandError(f"no module {words[1]}")
        _check_files([word for word in words[2:] if word.startswith(WRITTEN_BY_HAND)])
    elif words[0] == "-c":
        compile(words[1], "python -c", "exec")
    else:
        _check_files(words[:1], written)


def _check_files(words: list[str], written: frozenset[str] = frozenset()) -> None:
    for word in words:
        if not word.startswith("-") and word not in written and not (ROOT / word).exists():
            raise CommandError(f"no file {word}")


def _check_script(words: list[str], written: frozenset[str]) -> None:
    """A script of the project behind options, and the study that it runs."""
    script, *_ = [word for word in words if not word.startswith("--")] or [""]
    _check_files([script])
    check_gmm_study(["run", *words[words.index(script) + 1 :]], written)


def _check_after(separator: str, words: list[str], written: frozenset[str]) -> None:
    """The command that another one sends on."""
    if separator in words:
        check(shlex.join(words[words.index(separator) + 1 :]), written)
