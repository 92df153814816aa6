"""The command line: says what it is about to do, does it, and explains a mistake in one line."""

import atexit
import gc
import sys
import traceback
from types import TracebackType

import rich_click as click

from gmm_study.addresses import redact
from gmm_study.cli.data import data
from gmm_study.cli.evaluate import evaluate
from gmm_study.cli.inpaint import inpaint
from gmm_study.cli.methods import methods
from gmm_study.cli.plan import plan
from gmm_study.cli.reproduction import reproduction
from gmm_study.cli.sample import sample
from gmm_study.cli.status import status
from gmm_study.cli.study import report, run, sync, tables
from gmm_study.cli.train import train
from gmm_study.cli.ui import ui
from gmm_study.errors import InputError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="gmm-study")
def cli() -> None:
    """Hyperparameter studies of deep generative models with binary latent layers.

    A study is a question in a file, studies/NAME.yaml. See what it would train with
    `gmm-study plan NAME`, run it with `gmm-study run NAME`, look at it with
    `gmm-study ui`; `gmm-study report NAME` writes its tables and figure again.
    """


for command in (
    plan,
    run,
    status,
    report,
    tables,
    reproduction,
    sync,
    ui,
    train,
    evaluate,
    sample,
    inpaint,
    data,
    methods,
):
    cli.add_command(command)


def _print_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """As Python does, without the passwords and keys of addresses."""
    print(redact("".join(traceback.format_exception(kind, error, trace))), file=sys.stderr, end="")


def main() -> None:
    """Run the command line; exit status 2 and one line for input that cannot be used."""
    sys.excepthook = _print_traceback
    gc.set_threshold(100_000, 20, 50)  # else a large plan is looked through again as it grows
    atexit.register(gc.freeze)  # else Python looks through all that was imported before it ends
    try:
        sys.exit(cli(standalone_mode=False) or 0)
    except (InputError, click.ClickException) as error:
        message = error.format_message() if isinstance(error, click.ClickException) else error
        print(f"gmm-study: {redact(str(message))}", file=sys.stderr)
        sys.exit(2)
    except click.Abort:
        print("gmm-study: interrupted; a record keeps what its trial had reached", file=sys.stderr)
        sys.exit(130)
