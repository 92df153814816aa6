"""`gmm-study new` and `gmm-study schema`: a template study, and the schema for editors."""

import json
from pathlib import Path

import rich_click as click

from gmm_study.cli.completion import choices_of, complete_among, complete_dataset
from gmm_study.errors import InputError


@click.command()
@click.argument("name")
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    metavar="DATASET",
    shell_complete=complete_dataset,
    help="Data set of the study: a name or a path. Repeatable. [default: digits]",
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="METHOD",
    shell_complete=complete_among(lambda: choices_of("method")),
    help="Method of the study. Repeatable. [default: gmm, rws and vae]",
)
def new(name: str, datasets: tuple[str, ...], methods: tuple[str, ...]) -> None:
    """Write studies/NAME.yaml, a commented study that runs unchanged.

    Example: gmm-study new my_question --dataset my_data.npz --method gmm
    """
    from gmm_study.study.template import write_study

    path = write_study(name, datasets, methods)
    print(f"wrote {path}; see what it trains: gmm-study plan {name} --small")


@click.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="File to write, such as studies/study.schema.json. [default: standard output]",
)
def schema(output: Path | None) -> None:
    """Print the JSON schema of study files, for editors.

    Editors use it to complete and check study files. It contains all known methods, settings and
    data sets. An editor with a YAML language server reads it if the first line of the study is
    `# yaml-language-server: $schema=FILE`, with FILE relative to the study; `gmm-study new` writes
    that line if studies/study.schema.json exists.
    """
    from gmm_study.study.json_schema import study_schema

    text = json.dumps(study_schema(), indent=2, allow_nan=False)
    if output is None:
        print(text)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"output: '{output}' cannot be written: {error.strerror}") from None
    print(f"wrote {output}")
