"""`gmm-study diagnose`: why a run is as it is, each finding with its figure and what to do."""

from textwrap import wrap
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.console import Console

from gmm_study.api.defaults import (
    DIAGNOSED_DRAWS,
    DIAGNOSED_ROWS,
    DIAGNOSED_SAMPLES,
    LEAST_DIAGNOSED_ROWS,
    LEAST_DRAWS,
    MARGIN,
)
from gmm_study.cli.as_json import print_json
from gmm_study.cli.console import bar, output_console, warn, working
from gmm_study.cli.data import dataset_option
from gmm_study.cli.on_study import storage_option
from gmm_study.cli.trained import (
    chunk_rows_option,
    complete_trained,
    machine_options,
    replicate_option,
)
from gmm_study.phrases import plural

if TYPE_CHECKING:
    from gmm_study.api.diagnoses import DiagnosedReplicate


@click.command()
@click.argument("trial", shell_complete=complete_trained)
@click.option(
    "--all", "show_all", is_flag=True, help="Also show what the rules measured that found nothing."
)
@click.option(
    "--record-only", is_flag=True, help="Leave out the rules that need the model and the data."
)
@click.option(
    "--margin",
    type=click.FloatRange(0.0, min_open=True),
    default=MARGIN,
    show_default=True,
    help="Differences below it, in nats, are ignored.",
)
@click.option(
    "--samples",
    "evaluation_samples",
    type=click.IntRange(1),
    metavar="K",
    default=DIAGNOSED_SAMPLES,
    show_default=True,
    help="The large K: samples per datapoint of log p.",
)
@click.option(
    "--datapoints",
    type=click.IntRange(LEAST_DIAGNOSED_ROWS),
    default=DIAGNOSED_ROWS,
    show_default=True,
    help="Rows of the training and of the validation data, drawn at random.",
)
@click.option(
    "--draws",
    type=click.IntRange(LEAST_DRAWS),
    default=DIAGNOSED_DRAWS,
    show_default=True,
    help="Independent gradient estimates.",
)
@storage_option
@dataset_option("Data set to use instead of the training's: a name or a path.")
@replicate_option
@chunk_rows_option
@machine_options("all verdicts")
def diagnose(trial: str, show_all: bool, as_json: bool, **settings: Any) -> None:
    """Say why a run is as it is: what is wrong with it, with its figure, and what to do.

    TRIAL is a trial's record, its folder `checkpoint`, the id of a trial in the storage or in the
    records that come with gmm-study, or bmnist-12. From the record alone: still rising at its
    limit, collapsed, a learning rate that is too large or too small, too few effective samples, and
    noise of validation above the difference from the best other trial. From the model and the data:
    overfitting of p or of q, the amortisation gap, a loose bound, dead units, saturated layers, and
    a gradient of q below its noise. Rules that cannot judge are listed with the reason.

    --json: {trial, trial_id, method, dataset, margin, replicates: [{replicate, ending, epochs,
    found: [{rule, figure, what, threshold, to_do, values: {NAME: figure}}], nothing: [the same],
    left_out: [{rule, why}]}]}, where `threshold` says from which figure on it counts, and why.

    Example: gmm-study diagnose my_trial --all
    """
    from gmm_study.api import diagnoses

    shown: dict[str, Any] = {"working": working, "bar": bar, "warn": warn}
    found = diagnoses.diagnose(trial, **settings, **shown)
    if as_json:
        print_json(diagnoses.as_document(found))
        return
    console = output_console()
    subject = f"{found.method} on {found.dataset}, trial {found.trial_id}"
    _print(console, f"{subject}; differences below {found.margin:g} nats are ignored")
    for replicate in found.replicates:
        _print_replicate(console, replicate, show_all)


def _print_replicate(console: Console, replicate: "DiagnosedReplicate", show_all: bool) -> None:
    _print(console, f"\nreplicate {replicate.replicate}{_ended(replicate)}", style="bold")
    for finding in replicate.found:
        _print(console, f"\n{finding.rule}", style="yellow")
        for text in (
            finding.what,
            f"Threshold: {finding.threshold}",
            f"What to do: {finding.to_do}",
        ):
            _print(console, text, indent="  ")
    if not replicate.found:
        _print(console, "nothing was found")
    if show_all and replicate.nothing:
        _print(console, "")
        for finding in replicate.nothing:
            _print(console, f"{finding.rule}: not found ({finding.figure})")
    if replicate.left_out:
        _print(console, "")
        for why, names in _by_reason(replicate).items():
            _print(console, f"left out: {', '.join(names)} ({why})")


def _ended(replicate: "DiagnosedReplicate") -> str:
    """When and why its training ended; empty if that is not known."""
    from gmm_study.diagnosis.curves import LIMITS

    if replicate.epochs is None:
        return ""
    limits = {str(ending): f", at {limit}" for ending, limit in LIMITS.items()}
    why = limits.get(replicate.ending, f", {replicate.ending}") if replicate.ending else ""
    return f": ended after {plural(replicate.epochs, 'epoch')}{why}"


def _print(console: Console, text: str, indent: str = "", style: str = "") -> None:
    """Print a text in lines that fit, without spaces at their ends."""
    for line in text.split("\n"):
        lines = wrap(
            line,
            console.width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_on_hyphens=False,
        )
        console.print("\n".join(lines), style=style, markup=False, highlight=False, soft_wrap=True)


def _by_reason(replicate: "DiagnosedReplicate") -> dict[str, list[str]]:
    """The names of the rules that were left out, by the reason."""
    found: dict[str, list[str]] = {}
    for missing in replicate.left_out:
        found.setdefault(missing.why, []).append(missing.rule)
    return found
