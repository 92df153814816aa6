"""Where the documentation site differs from the pages that a code host shows."""

import posixpath
import re
from html import unescape
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
BESIDE_DOCS = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "cluster/Dockerfile": "cluster/Dockerfile",
    "cluster/kuberay.yaml": "cluster/kuberay.yaml",
}
"""Files outside of `docs/` that the pages link to, and their places on the site."""

PYTHON = {
    "gmm_study": (
        "gmm_study",
        "gmm_study.api.planned_study.PlannedStudy",
        "gmm_study.api.studies.RunResult",
        "gmm_study.api.checkpoints.TrainedTrial",
        "gmm_study.api.checkpoints.Evaluation",
    ),
    "analysis": ("analysis", "analysis.verdict.verdict"),
}
"""The pages made from docstrings, and what each describes: a package and what it returns."""

LINK = re.compile(r"(?<=\]\()[^)\s#]+")
TABLE_ROW = re.compile(r"^\|.*\|$", re.MULTILINE)
CODE = re.compile(r"`[^`]+`")
FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<latex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files beside `docs/` and a page of each Python package."""
    for source, place in BESIDE_DOCS.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    for package, described in PYTHON.items():
        page = "\n".join(f"::: {name}" for name in described)
        files.append(File.generated(config, f"reference/python/{package}.md", content=page))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to where the site has the files."""
    place = page.file.src_uri
    sources = {on_site: source for source, on_site in BESIDE_DOCS.items()}
    folder = posixpath.dirname(sources.get(place, f"docs/{place}"))

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[0]))
        on_site = BESIDE_DOCS.get(target, target.removeprefix("docs/"))
        if not (ROOT / target).exists():
            return link[0]
        return posixpath.relpath(on_site, posixpath.dirname(place))

    return TABLE_ROW.sub(_with_plain_bars, LINK.sub(moved, markdown))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Write formulas as MathML, which browsers show without a script."""
    return FORMULA.sub(_formula, html)


def _with_plain_bars(row: re.Match[str]) -> str:
    """A code host needs a backslash before a bar in a table's code; here it would be seen."""
    return CODE.sub(lambda code: code[0].replace(r"\|", "|"), row[0])


def _formula(found: re.Match[str]) -> str:
    latex, inline = unescape(found["latex"]), found["tag"] == "span"
    formula: str = convert(latex, display="inline" if inline else "block")
    # The theme scrolls what has this class where it is wider than the page.
    return formula if inline else f'<div class="md-typeset__scrollwrap">{formula}</div>'
