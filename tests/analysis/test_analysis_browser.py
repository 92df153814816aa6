"""The report's pages as a reader's browser shows them."""

import re

import pytest

from analysis import find, write_index, write_report
from gmm_study.training.state import TrialState

pytestmark = pytest.mark.process

SIZES = {"layers": {"first": 8, "last": 4}}
SMALLEST_LETTERS = 9.0
"""Pixels."""
LEAST_CONTRAST = 4.5
"""Between texts and their ground, as the accessibility guidelines (WCAG 2.1, AA) ask for."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reports")


@pytest.fixture
def page_file(lab, figures, folder):
    """The page of a study of two methods at three depths, with a failure and a divergence."""
    path = folder / "ladder" / "index.html"
    if path.exists():
        return path
    plan = lab.plan(
        methods=["gmm", "rws"], space={"layers.depth": {"grid": [1, 2, 3]}}, fixed=SIZES
    )
    diverged, failed = (t for t in plan.trials if t.label.endswith(("rws depth=2", "rws depth=3")))
    for trial in plan.trials:
        if trial in (diverged, failed):
            continue
        depth = trial.axes["layers.depth"]
        values = (figures(-21.0, -20.0 + depth + step) for step in (0.0, 0.2, 0.4))
        lab.write(trial.config, *values)
        lab.write_curve(trial.config, *[[-30.0, -25.0 + depth, -21.0]] * 3)
    lab.write(diverged.config, figures(-21.0, -20.0), None, figures(-21.0, -20.0))
    record = lab.store.record(failed.config.trial_id)
    record.write_config(failed.config)
    record.write_status(TrialState.FAILED, error="out of <memory> & patience")
    write_report(find(plan, lab.store), path.parent)
    write_index(folder)
    return path


@pytest.fixture
def visit(chromium):
    """Opens a page as (width, scheme) has it; gives it and all that the browser complained of."""
    contexts = []

    def _visit(path, width=1280, scheme="light"):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        contexts.append(context)
        page, said = context.new_page(), []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url))
        page.goto(path.as_uri())
        said.remove(path.as_uri())
        return page, said

    yield _visit
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_is_readable_and_asks_for_nothing_else(page_file, visit, width, scheme):
    page, said = visit(page_file, width, scheme)
    assert said == []
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    sizes = page.evaluate(
        """() => [...document.querySelectorAll('body *:not(style)')]
            .filter(node => [...node.childNodes].some(c => c.nodeType == 3 && c.data.trim()))
            .map(node => node.closest('svg')
                ? node.getBoundingClientRect().height
                : parseFloat(getComputedStyle(node).fontSize))"""
    )
    assert len(sizes) > 100
    assert min(sizes) >= SMALLEST_LETTERS
    for selector in ("#verdict", "td", "figcaption", "dd", "caption, .quiet"):
        assert contrast(page, selector) >= LEAST_CONTRAST, selector


def test_figures_take_the_colours_of_the_page(page_file, visit):
    inks = set()
    for scheme in ("light", "dark"):
        page, _ = visit(page_file, scheme=scheme)
        ink = page.evaluate("getComputedStyle(document.querySelector('#result svg text')).fill")
        assert ink == page.evaluate("getComputedStyle(document.body).color")
        inks.add(ink)
    assert len(inks) == 2


def test_the_page_says_verdict_figures_failures_and_how_to_run_it_again(page_file, visit):
    page, _ = visit(page_file)
    assert "gmm gains 2.00 ± 0.00" in page.inner_text("#verdict")
    assert page.locator("figure svg").count() == page.locator("figcaption").count() == 4
    failures = page.inner_text("#failures")
    assert "out of <memory> & patience" in failures
    assert "1 of 3 replicates" in failures
    assert "0123456789" in page.inner_text("#run")
    assert page.inner_text("#again code") == "gmm-study run ladder"
    bold = page.locator("td.best").first
    assert int(bold.evaluate("node => getComputedStyle(node).fontWeight")) >= 600


def test_ids_are_unique_and_references_within_figures_lead_somewhere(page_file, visit):
    page, _ = visit(page_file)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(node => node.id)")
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'(?:xlink:href="#|url\(#)([^")]+)', page_file.read_text()))
    assert used
    assert used <= set(ids)


def test_the_data_of_the_tables_are_in_the_page(page_file, visit):
    page, _ = visit(page_file)
    with page.expect_download() as download:
        page.click("a[download='table.csv']")
    saved = download.value.path().read_text()
    assert saved == (page_file.parent / "table.csv").read_text()


def test_the_index_leads_to_every_report(page_file, visit, folder):
    page, said = visit(folder / "index.html", 400)
    assert said == []
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 400
    assert "gmm gains 2.00" in page.inner_text("article")
    page.click("article a")
    assert page.inner_text("h1") == "ladder"


def contrast(page, selector):
    """The least contrast of texts that match with the page's ground, or that of their own box."""
    colours = page.evaluate(
        """selector => [...document.querySelectorAll(selector)].map(node => {
            let box = node
            while (box && getComputedStyle(box).backgroundColor == 'rgba(0, 0, 0, 0)')
                box = box.parentElement
            return [getComputedStyle(node).color, getComputedStyle(box).backgroundColor]
        })""",
        selector,
    )
    assert colours
    return min(_ratio(*map(_luminance, pair)) for pair in colours)


def _ratio(first, second):
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


def _luminance(colour):
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
