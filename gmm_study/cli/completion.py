"""Shell completion, and `gmm-study completion`, which prints the script for a shell.

It has no lists of its own and imports nothing heavy. bash splits words at `=`; they are joined
here.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import rich_click as click
from click.shell_completion import (
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from gmm_study.errors import InputError
from gmm_study.training.hyperparameters import declared_settings
from gmm_study.training.presets import PRESETS

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_GMM_STUDY_COMPLETE"
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def complete_study(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The names of the studies in the folder `studies`, or else a path."""
    return _starting(incomplete, study_names()) or _path(incomplete)


def complete_dataset(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The names of the data sets, or else a path."""
    return _starting(incomplete, dataset_names()) or _path(incomplete)


def complete_override(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The keys of `--set` followed by `=`, then the values of a key with a list of values."""
    key, separator, _ = incomplete.partition("=")
    if not separator:
        return _starting(incomplete, (f"{known}=" for known in override_keys()))
    return _starting(incomplete, (f"{key}={value}" for value in _values_of(key)))


def complete_among(values: Callable[[], Iterable[str]]) -> Completer:
    """One of the values that a function returns."""
    return lambda ctx, param, incomplete: _starting(incomplete, values())


def study_names() -> list[str]:
    """The names of all `studies/NAME.yaml` below the current folder."""
    return sorted(path.stem for path in Path("studies").glob("*.yaml"))


def dataset_names() -> list[str]:
    """The names of all data sets; empty if they cannot be listed."""
    from gmm_study.data import list_datasets

    with suppress(InputError):
        return [info.name for info in list_datasets()]
    return []


def override_keys() -> list[str]:
    """The keys of `--set`: hyperparameters, and the fields of a study and its sections."""
    from gmm_study.study.amend import FIELDS, SECTIONS_OF_KINDS, SHORT_FOR
    from gmm_study.study.schema import StudyFile
    from gmm_study.study.settings import known_settings

    models: dict[str, Sequence[Any]] = {
        name: [field.annotation] for name, field in StudyFile.model_fields.items()
    }
    models |= {name: get_args(get_args(kinds)[0]) for name, kinds in SECTIONS_OF_KINDS.items()}
    inner = {
        f"{name}.{field}"
        for name, among in models.items()
        for model in among
        for field in getattr(model, "model_fields", ())
    }
    return sorted(known_settings(installed=True) | FIELDS | inner | set(SHORT_FOR))


def choices_of(name: str) -> tuple[str, ...]:
    """The allowed values of a hyperparameter; empty if it has no list of them."""
    spec = declared_settings().get(name)
    return tuple(spec.metadata["choices"] or ()) if spec else ()


def _values_of(key: str) -> Iterable[str]:
    if key == "preset":
        return PRESETS
    return dataset_names() if key == "dataset" else choices_of(key)


def _starting(incomplete: str, words: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _path(incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


BASH_SCRIPT = r"""
%(complete_func)s() {
    local IFS=$'\n' type value
    COMPREPLY=()
    while IFS=',' read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \
        %(complete_var)s=bash_complete "$1")
    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
    return 0
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
"""Adds no blank after a word that ends with `=`, unlike click's own script for bash."""


class _Bash(ShellComplete):
    """Completion for bash, which treats `=` as a word of its own."""

    name = "bash"
    source_template = BASH_SCRIPT
    _before_equals = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The complete words, and the beginning of the one to complete."""
        words, place = split_arg_string(os.environ["COMP_WORDS"]), int(os.environ["COMP_CWORD"])
        joined: list[str] = []
        for word in words[1 : place + 1]:
            if joined and (word == "=" or joined[-1].endswith("=")):
                joined[-1] += word
            else:
                joined.append(word)
        incomplete = joined.pop() if place < len(words) else ""
        self._before_equals = incomplete[: incomplete.rfind("=") + 1]
        return joined, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """A line for the script, without the words that bash has before this one."""
        return f"{item.type},{item.value.removeprefix(self._before_equals)}"


add_completion_class(_Bash)


@click.command()
@click.argument(
    "shell", required=False, metavar="[SHELL]", shell_complete=complete_among(lambda: SHELLS)
)
@click.pass_context
def completion(ctx: click.Context, shell: str | None) -> None:
    """Print a script for shell completion.

    It completes commands, options, studies, data sets, methods and the keys of --set.

    SHELL is bash, zsh or fish; the default is the current shell. For bash, add
    `eval "$(gmm-study completion bash)"` to ~/.bashrc. For zsh, add the same line with zsh to
    ~/.zshrc. For fish, run `gmm-study completion fish >
    ~/.config/fish/completions/gmm-study.fish`.
    """
    name = shell or Path(os.environ.get("SHELL", "")).name
    kind = get_completion_class(name) if name in SHELLS else None
    if kind is None:
        raise InputError(f"SHELL: '{name}' must be one of {', '.join(SHELLS)}")
    print(kind(ctx.find_root().command, {}, "gmm-study", VARIABLE).source())
