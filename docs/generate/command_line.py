"""The reference of the command line, generated from the click commands."""

import re
from collections.abc import Iterator
from inspect import cleandoc

import click

from docs.generate.markdown import code, prose, table

HEAD = """# The command line

<!-- Written by `make docs`; do not edit. -->

`gmm-study` is in `.venv/bin`. The commands are listed in the order of `gmm-study --help`. Every
command has a `--help` option. A user error is reported in one line, with exit status 2. The exit
status is 1 if a trial of the study has failed, and 130 if the command was interrupted. The targets
of `make` call these commands; `make help` lists them.
"""


def command_line() -> str:
    """The text of the page."""
    from gmm_study.cli import cli

    context = click.Context(cli, info_name="gmm-study")
    return "\n".join([HEAD, *_of_group(cli, context)])


def _of_group(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.commands:
        command = group.commands[name]
        own = click.Context(command, parent=context, info_name=name)
        if isinstance(command, click.Group):
            yield from _of_group(command, own)
        else:
            yield _of_command(command, own)


def _of_command(command: click.Command, context: click.Context) -> str:
    usage = command.get_usage(context).removeprefix("Usage: ")
    parts = [f"## {context.command_path}\n", f"```text\n{prose(usage)}\n```\n"]
    parts += [f"{_paragraph(text)}\n" for text in cleandoc(command.help or "").split("\n\n")]
    options = [each for each in command.params if isinstance(each, click.Option)]
    records = filter(None, (each.get_help_record(context) for each in options))
    rows = [(code(spelt), text.replace("]  [", "; ")) for spelt, text in records]
    if rows:
        parts.append(table(("option", "description"), rows))
    return "\n".join(parts)


def _paragraph(text: str) -> str:
    """A paragraph of a command's help, with the example and the shape of `--json` as code."""
    if example := re.fullmatch(r"Example: (.+)", prose(text)):
        return code(example.group(1))
    if form := re.fullmatch(r"--json: ({.+})(.*)", prose(text)):
        return f"`--json`: {code(form.group(1))}{form.group(2)}"
    return prose(text)
