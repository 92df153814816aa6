"""The pages of `docs/reference` that are generated from the code: `make docs`.

Generated pages are tracked in git, because a code host shows files and runs nothing. A test
compares each page with the code. The output of studies and benchmarks is not tracked.
"""

from collections.abc import Callable

from docs.generate.command_line import command_line
from docs.generate.data import data
from docs.generate.mlflow_names import mlflow_names
from docs.generate.presets import presets
from docs.generate.studies import studies
from docs.generate.study_file import study_file

PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/command-line.md": command_line,
    "docs/reference/data.md": data,
    "docs/reference/mlflow.md": mlflow_names,
    "docs/reference/presets.md": presets,
    "docs/reference/studies.md": studies,
    "docs/reference/study-file.md": study_file,
}
"""The function that writes each page, by the path of the page from the project's root."""
