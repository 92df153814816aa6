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
from gmm_study.study import make_plan
from gmm_study.study.load import PAPER, STUDIES
from gmm_study.training.state import TrialState
from gmm_study.trials.record_store import RecordStore

if TYPE_CHECKING:
    from analysis import Findings, PaperTable, ReportFiles, WrittenReport
    from gmm_study.study import Plan

    Written = tuple[ReportFiles | InputError | OSError, PaperTable | None]

REPORTS = Path("reports")
NO_RECORDS = "no records of it as its file declares it"


def write_study_report(planned: PlannedStudy, or_shipped: bool = False) -> "WrittenReport":
    """Write the report of a study into `reports/NAME/VARIANT`, and the index of all reports.

    With `or_shipped`, it is that of the records that come with the project if none of the study's
    trials has ended in the storage, and says so. Raises `InputError` if the study's search has not
    proposed a trial yet, if the report of another file with the same name is there, and if the
    folder is not writable.
    """
    from analysis import write_index, write_report

    study = planned.study
    found = _found(planned.plan, planned.store)
    if or_shipped and not (found and _has_ended(found)):
        found = _found(*_shipped(planned))
    if found is None:
        over = planned.searches_over
        advice = "raise search.hours, which are over" if over else "run the study first"
        raise InputError(f"{study.name}: its search has no trials yet; {advice}")
    claim_name(study, REPORTS)
    folder = REPORTS / study.name / study.variant
    with _unwritable_in_one_line():
        report = write_report(found, folder, planned.command)
        write_index(REPORTS)
    return report


def _found(plan: "Plan", store: RecordStore) -> "Findings | None":
    """What the records of a plan show, None if it has no trials."""
    from analysis import find

    return find(plan, store) if plan.trials else None


def _has_ended(found: "Findings") -> bool:
    """Whether a trial of the study has ended, with the replicates that it is trained with first."""
    return any(TrialState(state).is_over for state in found.screened["state"])


def _shipped(planned: PlannedStudy) -> "tuple[Plan, RecordStore]":
    """The plan of a study with the records that come with the project, and where to read them."""
    from analysis import with_shipped
    from gmm_study.search.history import History

    store = with_shipped(planned.store)
    checksums = planned.data.checksums
    return make_plan(planned.study, checksums, lambda cell: History(store, cell)), store


@dataclass(frozen=True)
class AllReports:
    """The result of `write_all_reports`."""

    by_study: "dict[str, ReportFiles | InputError | OSError]"
    """The report of each study, or why it has none."""
    published_tables: list[Path]
    index: Path

    @property
    def reports(self) -> "list[ReportFiles]":
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
    done: "Callable[[str, ReportFiles | Exception], None]" = lambda name, report: None,
) -> AllReports:
    """Write the report of every study in `studies`, as its file declares it, and their index.

    Also writes the published tables. Reads only records, no data: those in the storage, and those
    that come with the project where the storage has no result. If a study cannot be reported,
    the others still are. `done` is called with each study's name and its report, or why it has
    none: first those without records, then the longest reports first. Raises `InputError` if the
    folder is not writable.
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
    by_study: dict[str, ReportFiles | InputError | OSError] = {}
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
    tables: dict[str, PaperTable | None] = {}
    written = _in_processes([plans[name] for name in to_write], storage)
    for name in to_write:
        with working(f"writing {name}"):
            by_study[name], tables[name] = next(written)
        done(name, by_study[name])
    compared = [name for name in PUBLISHED if name in plans and plans[name].trials]
    with _unwritable_in_one_line():
        published = [tables.get(name) or paper_table(find(plans[name], store)) for name in compared]
        paths = write_paper(published, REPORTS / PAPER) if published else {}
        return AllReports(dict(sorted(by_study.items())), [*paths.values()], write_index(REPORTS))


def _in_processes(plans: "Sequence[Plan]", storage: str) -> "Iterator[Written]":
    """Write the reports of studies in processes, as many at a time as there are CPUs."""
    from joblib import Parallel, delayed

    processes = max(1, min(usable_cpus(), len(plans)))
    parallel = Parallel(n_jobs=processes, backend="loky", return_as="generator")
    yield from parallel(delayed(_write)(plan, storage, Path.cwd()) for plan in plans)


def _write(plan: "Plan", storage: str, here: Path) -> "Written":
    """Write the report of a study; also gives its published table, if there is one.

    What it returns must not hold an open storage, which no process can send to another.
    """
    from analysis import PUBLISHED, ReportFiles, find, paper_table, with_shipped, write_report

    name = plan.study.name
    with chdir(here):  # joblib keeps its processes for later calls, which may be made elsewhere
        try:
            store = with_shipped(RecordStore(storage))
            report = write_report(find(plan, store), REPORTS / name, f"gmm-study run {name}")
        except (InputError, OSError) as error:
            return error, None
    table = paper_table(report.found) if name in PUBLISHED else None
    return ReportFiles(report.summary, report.paths), table


@contextmanager
def _unwritable_in_one_line() -> Iterator[None]:
    """Report in one line that the folder of reports is not writable."""
    try:
        yield
    except OSError as error:
        raise InputError(f"the report cannot be written: {error}") from None
