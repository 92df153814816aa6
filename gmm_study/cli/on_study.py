"""The arguments that all commands on a study share, and the planned study from them."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import rich_click as click

from gmm_study.api.defaults import RESULTS
from gmm_study.cli.completion import complete_override, complete_study
from gmm_study.cli.console import warn, working
from gmm_study.cli.data import dataset_option

if TYPE_CHECKING:
    from gmm_study.api.planned_study import PlannedStudy

NAME_HELP = "NAME is a study in the folder `studies`, or the path of a .yaml file."
storage_option = click.option(
    "--storage",
    envvar="GMM_STUDY_STORAGE",
    show_envvar=True,
    default=RESULTS,
    show_default=True,
    metavar="FOLDER|URL",
    help="Storage of the records: a folder or the URL of a bucket.",
)


def on_a_study(command: Callable[..., None]) -> Callable[..., None]:
    """Pass the planned study that the arguments name to a command."""
    command.__doc__ = f"{(command.__doc__ or '').rstrip()}\n\n    {NAME_HELP}\n    "

    @wraps(command)
    def command_on_study(
        name: str,
        overrides: tuple[str, ...],
        dataset: str | None,
        small: bool,
        storage: str,
        **options: Any,
    ) -> None:
        if dataset:
            overrides = (f"dataset={dataset}", *overrides)
        planned = _planned(name, overrides, small, storage)
        try:
            command(planned, **options)
        except OSError as error:
            if planned.store.is_local:
                raise
            raise planned.store.refusal_of(error) from None

    arguments: list[Callable[[Callable[..., None]], Callable[..., None]]] = [
        click.argument("name", shell_complete=complete_study),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            shell_complete=complete_override,
            help="Change a setting or a part of the study: --set max_epochs=5, "
            "--set layers.depth=3, --set replicates=5. Repeatable.",
        ),
        dataset_option("Data set to use instead of the study's own: a name or a path."),
        click.option(
            "--small",
            is_flag=True,
            help="Use the small variant of the study, which runs in a minute.",
        ),
        storage_option,
    ]
    for argument in reversed(arguments):
        command_on_study = argument(command_on_study)
    return command_on_study


def _planned(name: str, overrides: tuple[str, ...], small: bool, storage: str) -> "PlannedStudy":
    from gmm_study.api.planned_study import PlannedStudy
    from gmm_study.study import load_study

    planned = PlannedStudy(load_study(name, overrides, small), storage, working)
    for line in planned.warnings:
        warn(line)
    return planned
