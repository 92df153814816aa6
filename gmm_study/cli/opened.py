"""A study as a command has it: with its data, its plan and its records."""

import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import cached_property, partial, wraps
from typing import TYPE_CHECKING, Any

import rich_click as click

from gmm_study.addresses import redact
from gmm_study.cli.completion import complete_override, complete_study
from gmm_study.cli.console import working
from gmm_study.cli.data import dataset_option, load
from gmm_study.errors import InputError

if TYPE_CHECKING:
    from gmm_study.data import Dataset, DownloadError
    from gmm_study.study import Cell, Plan, PlannedTrial
    from gmm_study.trials.survey import Standing

RESULTS = "results"
"""Where the records are, unless said otherwise."""
storage_option = click.option(
    "--storage",
    default=RESULTS,
    show_default=True,
    metavar="FOLDER|URL",
    help="Where the records are: a folder or the address of a bucket.",
)


NAME_HELP = "NAME is a study of the folder `studies`, or the path of a .yaml file."


class Opened:
    """A study with its data, plan and records.

    `not_had` are the downloads that failed before, which are not tried again; this one's are added.
    """

    def __init__(
        self,
        name: str,
        overrides: Sequence[str],
        small: bool,
        storage: str,
        not_had: "dict[str, DownloadError] | None" = None,
    ) -> None:
        from gmm_study.study import load_study, make_plan
        from gmm_study.trials.record import RecordStore

        words = ["gmm-study", "run", name, *(["--small"] if small else [])]
        words += [word for text in overrides for word in ("--set", text)]
        words += ["--storage", redact(storage)] if storage != RESULTS else []
        self.command = shlex.join(words)
        study = load_study(name, overrides, small)
        self._datasets: dict[str, Dataset] = {}
        checksums = self._checksums(study.datasets, {} if not_had is None else not_had)
        self.store = RecordStore(storage)
        self.problems: dict[str, None] = {}
        """Lines on searches that were lost."""

        self._make_plan = partial(make_plan, study, checksums, self._proposals)
        with working("planning"):
            self.plan: Plan = self._make_plan()
        self._looked = False

    def _checksums(
        self, names: Sequence[str], not_had: "dict[str, DownloadError]"
    ) -> dict[str, str]:
        """Of the data sets that can be had; `without_data` has a line on each of the others.

        Those that this code makes can always be had, and are made only where they are trained on.
        """
        from gmm_study.data import DownloadError, find_entry

        checksums = {}
        for name in names:
            entry = find_entry(name)
            if entry and entry.build and entry.sha256:
                checksums[name] = entry.sha256
                continue
            try:
                if name not in not_had:
                    checksums[name] = self._load(name).sha256
            except DownloadError as error:
                not_had[name] = error
        without = [name for name in names if name not in checksums]
        self.without_data = [f"no data: {not_had[name]}" for name in without]
        if not checksums:
            several = "none of the study's data sets can be had: " if len(names) > 1 else ""
            raise InputError(f"{several}{not_had[names[0]]}")
        return checksums

    def _load(self, name: str) -> "Dataset":
        dataset = load(name)
        self._datasets[dataset.sha256] = dataset
        return dataset

    def datasets(self, trials: Iterable["PlannedTrial"]) -> dict[str, "Dataset"]:
        """The data of some trials, and of those yet to be proposed, by checksum."""
        cells = [self.plan.cells[key] for key, count in self.plan.unproposed.items() if count]
        needed = {trial.config.dataset_sha256: trial.config.dataset for trial in trials}
        needed |= {cell.dataset_sha256: cell.dataset for cell in cells}
        for checksum, name in needed.items():
            if checksum not in self._datasets:
                self._load(name)
        return self._datasets

    def _proposals(self, cell: "Cell") -> list[dict[str, Any]]:
        from gmm_study.search.history import History

        history = History(self.store, cell)
        self.problems |= {history.problem: None} if history.problem else {}
        return history.proposals()

    def look_again(self) -> None:
        """Take in what the searches have proposed since, and where every trial stands now."""
        if self.plan.study.is_adaptive:
            self.plan = self._make_plan()
        for looked_up in ("standings", "states"):
            self.__dict__.pop(looked_up, None)

    @cached_property
    def standings(self) -> "dict[str, Standing]":
        """Where every trial stood when this was first asked for, or asked for again."""
        from gmm_study.trials.survey import survey

        trial_ids = [trial.config.trial_id for trial in self.plan.trials]
        # Later looks are quick, and may be taken while something else is on the terminal.
        with nullcontext() if self._looked else working("reading the records"):
            found = survey(self.store, trial_ids, self.plan.study.replicates)
        self._looked = True
        return found

    @cached_property
    def states(self) -> dict[str, str]:
        """The state of every trial, by id."""
        return {trial_id: standing.state for trial_id, standing in self.standings.items()}

    def mend(self) -> None:
        """Write again what of ended trials' records this plan knows and cannot be read."""
        for config in (trial.config for trial in self.plan.trials):
            if self.states[config.trial_id] in ("complete", "diverged"):
                self.store.record(config.trial_id).mend_config(config)

    def missing(self, retry_failed: bool) -> list["PlannedTrial"]:
        """The trials to be trained: those without a result, in the plan's order.

        What a scheduler has stopped stays so in a study that has one.
        """
        done = {"complete", "diverged"} | (set() if retry_failed else {"failed"})
        if self.plan.study.scheduler.kind != "none":
            done.add("stopped")
        return [
            trial for trial in self.plan.trials if self.states[trial.config.trial_id] not in done
        ]

    def to_come(self) -> list["PlannedTrial"]:
        """The missing trials, and a stand-in for each that a search is yet to propose."""
        return [*self.missing(retry_failed=False), *self.plan.stand_ins()]

    def state_counts(self) -> list[tuple[str, int]]:
        """How many trials are in each state, by its name."""
        return sorted(Counter(self.states.values()).items())

    def counts(self) -> str:
        """`12 trials of 3 replicates: 8 complete, 4 pending`."""
        parts = ", ".join(f"{count} {state}" for state, count in self.state_counts())
        study, unproposed = self.plan.study, sum(self.plan.unproposed.values())
        if unproposed:
            parts = ", ".join(filter(None, (parts, f"{unproposed} to be proposed")))
        return (
            f"{study.name}: {plural(len(self.plan.trials) + unproposed, 'trial')} of "
            f"{plural(study.replicates, 'replicate')}: {parts}"
        )


def plural(count: int, noun: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def on_a_study(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the study that its arguments name, opened."""
    command.__doc__ = f"{(command.__doc__ or '').rstrip()}\n\n    {NAME_HELP}\n    "

    @wraps(command)
    def opened_command(
        name: str,
        overrides: tuple[str, ...],
        dataset: str | None,
        small: bool,
        storage: str,
        **options: Any,
    ) -> None:
        if dataset:
            overrides = (f"dataset={dataset}", *overrides)
        opened = Opened(name, overrides, small, storage)
        for line in (*opened.without_data, *opened.problems):
            print(f"gmm-study: {line}", file=sys.stderr)
        command(opened, **options)

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
        dataset_option("Other data than the study's own: a name or a path."),
        click.option("--small", is_flag=True, help="The study's variant that runs in a minute."),
        storage_option,
    ]
    for argument in reversed(arguments):
        opened_command = argument(opened_command)
    return opened_command
