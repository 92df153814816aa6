"""The command line: one module per command; errors are reported in one line."""

import atexit
import gc
import sys
import traceback
from types import TracebackType

import rich_click as click

from gmm_study.addresses import redact
from gmm_study.cli.completion import VARIABLE, completion
from gmm_study.cli.data import data
from gmm_study.cli.diagnose import diagnose
from gmm_study.cli.evaluate import evaluate
from gmm_study.cli.gradients import gradients
from gmm_study.cli.inpaint import inpaint
from gmm_study.cli.methods import methods
from gmm_study.cli.new import new, schema
from gmm_study.cli.plan import plan
from gmm_study.cli.report import report, tables
from gmm_study.cli.reproduction import reproduction
from gmm_study.cli.run import run
from gmm_study.cli.sample import sample
from gmm_study.cli.status import status
from gmm_study.cli.sync import sync
from gmm_study.cli.train import option_groups, train
from gmm_study.cli.ui import ui
from gmm_study.errors import InputError

GROUPS = {
    "A study": (new, plan, run, status, report, ui),
    "All studies": (tables, reproduction, sync),
    "One trial": (train, evaluate, diagnose, gradients, sample, inpaint),
    "Around them": (data, methods, schema, completion),
}


@click.group(
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="gmm-study")
def cli() -> None:
    """Hyperparameter studies of deep generative models with binary latent layers.

    \b
    A study is a research question in a file, studies/NAME.yaml:
      gmm-study new NAME        writes a commented template
      gmm-study plan NAME       shows its trials and the time they need
      gmm-study run NAME        trains missing trials, then reports
      gmm-study status NAME     shows its progress from another terminal
      gmm-study report NAME     writes its tables and figures again
      gmm-study ui              shows every trial and seed
    Train one trial without a study, and evaluate any trial:
      gmm-study train --method gmm --layers 48,24 --output my_trial
      gmm-study evaluate my_trial        and `sample my_trial`, `inpaint my_trial`
    """


for commands in GROUPS.values():
    for command in commands:
        cli.add_command(command)
click.rich_click.COMMAND_GROUPS = {
    "gmm-study": [
        {"name": name, "commands": [str(command.name) for command in commands]}
        for name, commands in GROUPS.items()
    ]
}
click.rich_click.TEXT_PARAGRAPH_LINEBREAKS = "\n\n"
click.rich_click.OPTION_GROUPS = {"gmm-study train": option_groups()}


def _print_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Like Python's default, but without the passwords and keys of addresses."""
    print(redact("".join(traceback.format_exception(kind, error, trace))), file=sys.stderr, end="")


def main() -> None:
    """Run the command line; invalid input gives one line and exit status 2."""
    sys.excepthook = _print_traceback
    gc.set_threshold(100_000, 20, 50)  # fewer collections while a large plan grows
    atexit.register(gc.freeze)  # skips the collection at exit
    try:
        sys.exit(cli(prog_name="gmm-study", complete_var=VARIABLE, standalone_mode=False) or 0)
    except (InputError, click.ClickException) as error:
        print(f"gmm-study: {redact(_in_a_line(error))}", file=sys.stderr)
        sys.exit(2)
    except click.Abort:
        print(
            "gmm-study: interrupted; the records keep the progress of their trials", file=sys.stderr
        )
        sys.exit(130)


def _in_a_line(error: InputError | click.ClickException) -> str:
    """The message; for a usage error also the command whose help lists what is allowed."""
    if not isinstance(error, click.ClickException):
        return str(error)
    message = " ".join(error.format_message().split())
    context = error.ctx if isinstance(error, click.UsageError) else None
    says_it = type(error) is click.BadParameter or "Did you mean" in message
    if context is None or says_it:
        return message
    return f"{message.rstrip('.')}; `{context.command_path} --help` lists what is allowed"
