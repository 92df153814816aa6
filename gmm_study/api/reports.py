"""Reports and published tables, written from records into the folder `reports`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gmm_study.api.defaults import RESULTS
from gmm_study.api.feedback import Working, silently
from gmm_study.api.names import check_name, claim_name
from gmm_study.api.planned_study import PlannedStudy, check_storage
from gmm_study.errors import InputError
from gmm_study.machine import usable_cpus
from gmm_study.study.load import PAPER, STUDIES
from gmm_study.trials.record import RecordStore

if TYPE_CHECKING:
    from analysis import WrittenReport
    from gmm_study.study import Plan

REPORTS = Path("reports")
NO_RECORDS = "no records of it as its file declares it"


def write_study_report(planned: PlannedStudy) -> "WrittenReport":
    """Write the report of a study into `reports/NAME/VARIANT`, and the index of all reports.

    Raises `InputError` if the study's search has not proposed a trial yet, if the report of another
    file with the same name is there, and if the folder is not writable.
    """
    from analysis import write_index, write_report

    study = planned.study
    if not planned.plan.trials:
        over = planned.searches_over
        advice = "raise search.hours, which are over" if over else "run the study first"
        raise InputError(f"{study.name}: its search has no trials yet; {advice}")
    claim_name(study, REPORTS)
    folder = REPORTS / study.name / study.variant
    with _unwritable_in_one_line():
        report = write_report(planned.plan, planned.store, folder, planned.command)
        write_index(REPORTS)
    return report


@dataclass(frozen=True)
class AllReports:
    """The result of `write_all_reports`."""

    by_study: "dict[str, WrittenReport | InputError | OSError]"
    """The report of each study, or why it has none."""
    published_tables: list[Path]
    index: Path

    @property
    def reports(self) -> "list[WrittenReport]":
        """The reports that were written."""
        return [each for each in self.by_study.values() if not isinstance(each, Exception)]

    @property
    def without(self) -> dict[str, str]:
        """By the study's name, why it has no report."""
        errors = ((name, e) for name, e in self.by_study.items() if isinstance(e, Exception))
        return {name: str(error) for name, error in errors}


def write_all_reports(
    storage: str = RESULTS,
    working: Working = silently,
    done: "Callable[[str, WrittenReport | Exception], None]" = lambda name, report: None,
) -> AllReports:
    """Write the report of every study in `studies`, as its file declares it, and their index.

    Also writes the published tables. Reads only records, no data: those in the storage, and those
    that come with the project where the storage has no result. If a study cannot be reported,
    the others still are. `done` is called with each study's name and its report, or why it has
    none. Raises `InputError` if the folder is not writable.
    """
    from analysis import (
        PUBLISHED,
        find,
        paper_table,
        plan_from_records,
        with_shipped,
        write_index,
        write_paper,
    )

    own = RecordStore(storage)
    check_storage(own)
    store = with_shipped(own)
    recorded = set(store.trial_ids())
    plans: dict[str, Plan] = {}
    by_study: dict[str, WrittenReport | InputError | OSError] = {}
    for name in sorted(path.stem for path in STUDIES.glob("*.yaml")):
        try:
            plan = plans[name] = plan_from_records(name, store)
            check_name(plan.study, REPORTS)
            if recorded.isdisjoint(trial.config.trial_id for trial in plan.trials):
                raise InputError(NO_RECORDS)
        except (InputError, OSError) as error:
            by_study[name] = error
            done(name, error)
    to_write = [name for name in plans if name not in by_study]
    to_write.sort(key=lambda name: -len(plans[name].trials))  # the longest first
    with working(f"writing the reports of {', '.join(to_write)}"):
        for name, report in zip(to_write, _in_parallel(to_write, storage), strict=True):
            by_study[name] = report
            done(name, report)
    with _unwritable_in_one_line():
        compared = [name for name in PUBLISHED if name in plans and plans[name].trials]
        tables = [
            paper_table(getattr(by_study[name], "found", None) or find(plans[name], store))
            for name in compared
        ]
        paths = write_paper(tables, REPORTS / PAPER) if tables else {}
        return AllReports(dict(sorted(by_study.items())), [*paths.values()], write_index(REPORTS))


def _in_parallel(
    names: Sequence[str], storage: str
) -> "Iterator[WrittenReport | InputError | OSError]":
    """Write the reports of studies, each in a process of its own; gives them, or the errors."""
    from joblib import Parallel, delayed

    processes = Parallel(n_jobs=max(1, min(usable_cpus(), len(names))), return_as="generator")
    yield from processes(delayed(_write_report)(name, storage, Path.cwd()) for name in names)


def _write_report(name: str, storage: str, here: Path) -> "WrittenReport | InputError | OSError":
    from analysis import plan_from_records, with_shipped, write_report

    with chdir(here):  # a process may be left from a call elsewhere
        try:
            store = with_shipped(RecordStore(storage))
            plan = plan_from_records(name, store)
            return write_report(plan, store, REPORTS / name, f"gmm-study run {name}")
        except (InputError, OSError) as error:
            return error


@contextmanager
def _unwritable_in_one_line() -> Iterator[None]:
    """Report in one line that the folder of reports is not writable."""
    try:
        yield
    except OSError as error:
        raise InputError(f"the report cannot be written: {error}") from None
