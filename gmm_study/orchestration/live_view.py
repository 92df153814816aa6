"""What is shown while a study runs: a table on a terminal, plain lines in a file or a pipe."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gmm_study.phrases import clock
from gmm_study.search.searches import Searches
from gmm_study.study import PlannedTrial
from gmm_study.training.state import TrialState
from gmm_study.trials.status import WAITING, Phase

PLAIN_LINE_EVERY = 30.0
"""Seconds between progress lines if the output is not a terminal."""
MOST_ROWS = 16


class LiveView:
    """A context manager that shows the running trials (epoch, bound, time left) and the counts.

    `missing` are the trials to be trained; `searches` propose and confirm further ones.
    """

    def __init__(
        self, console: Console, missing: Iterable[PlannedTrial], skipped: int, searches: Searches
    ) -> None:
        self.console = console
        self.labels: dict[str, str] = {}
        self.skipped = skipped
        self.searches = searches
        self.running: dict[str, dict[str, Any]] = {}
        self.expected: set[str] = set()
        self.ended: Counter[str] = Counter()
        self.confirming: set[str] = set()
        """The trials that are trained with all seeds after a screening, which are counted apart."""
        self.confirmed: Counter[str] = Counter()
        self.confirmed_elsewhere = 0
        self.elsewhere = 0
        """How many of these another process has trained."""
        self.started = time.monotonic()
        self._live = Live(get_renderable=self._table, console=console, refresh_per_second=4)
        self._last_line = self.started
        for trial in missing:
            self.expect(trial)

    def __enter__(self) -> "LiveView":
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    @property
    def wanted(self) -> int:
        """The number of trials to be trained, including those that are yet to be proposed."""
        return len(self.expected) + self.searches.unproposed

    @property
    def to_confirm(self) -> int:
        """The number of trials to be confirmed, including those that are yet to be chosen."""
        return len(self.confirming) + self.searches.unconfirmed

    def expect(self, trial: PlannedTrial) -> None:
        """Add a trial that is to be trained or confirmed."""
        self.labels[trial.config.trial_id] = trial.label
        its = self.confirming if self.searches.is_confirmed(trial) else self.expected
        its.add(trial.config.trial_id)

    def update(self, report: Mapping[str, Any]) -> None:
        """Process a trial's report: its `trial` id, `state`, epoch, bound and seconds left."""
        trial_id = report["trial"]
        if report["state"] in (TrialState.RUNNING, WAITING):
            self.running[trial_id] = dict(report)
        else:
            self.running.pop(trial_id, None)
            elsewhere = bool(report.get("elsewhere"))
            if trial_id in self.confirming:
                self.confirmed[report["state"]] += 1
                self.confirmed_elsewhere += elsewhere
            else:
                self.ended[report["state"]] += 1
                self.elsewhere += elsewhere
            if report["state"] == TrialState.FAILED:
                line = f"failed: {self.labels[trial_id]}: {report['error']}"
                self.console.print(line, markup=False)
        if not self.console.is_terminal and time.monotonic() - self._last_line > PLAIN_LINE_EVERY:
            self.console.print(self.counts())
            self._last_line = time.monotonic()

    def counts(self) -> str:
        """One line: trials ended out of all, running trials, and the time left."""
        ended = self.ended + self.confirmed
        not_complete = ((s, n) for s, n in ended.items() if s != TrialState.COMPLETE)
        states = [f"{count} {state}" for state, count in not_complete]
        waiting = sum(report["state"] == WAITING for report in list(self.running.values()))
        running = len(self.running) - waiting
        parts = [f"{self.ended.total()} of {self.wanted} trials"]
        if self.to_confirm:
            parts.append(f"{self.confirmed.total()} of {self.to_confirm} confirmed")
        parts += [*states, f"{running} running"]
        if waiting:
            parts.append(f"{waiting} trained by another process")
        if self.skipped:
            parts.append(f"{self.skipped} done before")
        parts.append(f"{clock(time.monotonic() - self.started)} elapsed")
        left = self._seconds_left()
        if left is not None:
            parts.append(f"about {clock(left)} left")
        return ", ".join(parts)

    def _seconds_left(self) -> float | None:
        """From the speed of the trials so far; a running trial counts by its fraction of epochs."""
        partly: float = sum(
            report["epoch"] / report["max_epochs"]
            for report in list(self.running.values())
            if report.get("max_epochs")
        )
        done = self.ended.total() + self.confirmed.total() + partly
        if done < 0.5:
            return None
        return (time.monotonic() - self.started) * (self.wanted + self.to_confirm - done) / done

    def _table(self) -> RenderableType:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading in ("trial", "", "epoch", "bound (nats)", "at most left"):
            table.add_column(heading, justify="left" if heading in ("trial", "") else "right")
        for trial_id, report in list(self.running.items())[:MOST_ROWS]:
            if report["state"] == WAITING:
                table.add_row(Text(self.labels[trial_id]), "trained by another process")
                continue
            phase, left = report["phase"], report["seconds_left"]
            bound = f"{report['bound']:.3f}" if isfinite(report["bound"]) else "-"
            table.add_row(
                Text(self.labels[trial_id]),
                ProgressBar(total=report["max_epochs"], completed=report["epoch"], width=20),
                f"{report['epoch']}/{report['max_epochs']}",
                bound,
                clock(left) if phase == Phase.TRAINING else phase,
            )
        return Group(table, Text(self.counts(), style="bold"))
