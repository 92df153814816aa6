"""`gmm-study new` and `gmm-study schema`: a study to begin with, and its form for editors."""

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
    help="What it trains on: a name or a path. Repeatable. [default: digits]",
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="METHOD",
    shell_complete=complete_among(lambda: choices_of("method")),
    help="What it trains. Repeatable. [default: gmm, rws and vae]",
)
def new(name: str, datasets: tuple[str, ...], methods: tuple[str, ...]) -> None:
    """Write a commented study that can be run as it is, studies/NAME.yaml.

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
    help="Where to write it, as studies/study.schema.json. [default: the output]",
)
def schema(output: Path | None) -> None:
    """Print the JSON schema of study files, for editors.

    By it they complete and check what is written. It has the methods, settings and data sets that
    there are here. An editor with a YAML language server takes it from a first line
    `# yaml-language-server: $schema=FILE`, FILE as seen from the study; `gmm-study new` writes that
    line where studies/study.schema.json is there.
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
