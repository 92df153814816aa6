"""How the functions show their progress: not at all, unless the caller passes a way to show it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from analysis import WrittenReport
    from gmm_study.api.planned_study import PlannedStudy
    from gmm_study.orchestration.driver import Outcome
    from gmm_study.study import PlannedTrial

Working = Callable[[str], AbstractContextManager[None]]
"""Shows a text such as `planning` for a step that takes time, while its context is open."""
Bar = Callable[[str, float | None], AbstractContextManager[Callable[[float], object]]]
"""Shows progress towards a total (None if unknown); gives the function that advances it."""


def silently(what: str) -> AbstractContextManager[None]:
    """Show nothing."""
    return nullcontext()


def without_bar(
    what: str, total: float | None = None
) -> AbstractContextManager[Callable[[float], object]]:
    """Show nothing."""
    return nullcontext(lambda done: None)


class RunObserver:
    """Is told about each step of a run. This one does nothing, and its console shows nothing.

    The console shows the running trials during training. `working` is called for other steps that
    take time.
    """

    def __init__(self, console: Console | None = None, working: Working = silently) -> None:
        self.console = console or Console(quiet=True, force_jupyter=False)
        self.working = working

    def begins(self, planned: "PlannedStudy", missing: Sequence["PlannedTrial"]) -> None:
        """The records have been read, and these trials are about to be trained."""

    def trained(self, outcome: "Outcome") -> None:
        """The trials have ended, or the user has interrupted them."""

    def not_assessed(self, line: str) -> None:
        """The gradients of a trial could not be assessed; `line` has its id and the reason."""

    def reported(self, report: "WrittenReport") -> None:
        """The report was written."""

    def mlflow_failed(self, problem: str) -> None:
        """MLflow is not kept up to date. Called at once, from another thread, and at the end."""
