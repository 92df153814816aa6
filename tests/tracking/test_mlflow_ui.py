"""A person who opens the MLflow UI is at the best trial of a method in a few clicks."""

import os
import signal
from urllib.parse import quote

import pytest

from gmm_study.data import load_dataset
from gmm_study.orchestration.views import update_views
from gmm_study.study import load_study, make_plan
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.run import TrialRun
from tests.workbench import Workbench, answers, free_port, wait_until

pytestmark = pytest.mark.process

SLOW = 180_000.0
"""Milliseconds: on a busy machine the page's megabytes of code take their time."""
STUDY = """
question: Which of two does the browser show first?
datasets: [digits]
methods: [gmm]
replicates: 2
fixed: {max_epochs: 2, batch_size: 400}
space:
  layers: {grid: [[3], [12]]}
evaluation: {samples: 2}
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A trained study in a folder of its own, told to MLflow; its plan and its best trial."""
    folder = tmp_path_factory.mktemp("ui")
    bench = Workbench(folder)
    bench.write_study(STUDY, "shown")
    dataset = load_dataset("digits")
    loaded = load_study(str(folder / "studies" / "shown.yaml"))
    plan = make_plan(loaded, {"digits": dataset.sha256})
    store = RecordStore(str(folder / "results"))
    values = {}
    for trial in plan.trials:
        record = store.record(trial.config.trial_id)
        run = TrialRun(trial.config, dataset, range(2), record)
        while not run.finished:
            run.advance()
        values[trial.label] = record.result().scores(2)["valid/log_p"]
    (folder / "reports" / "shown").mkdir(parents=True)
    (folder / "reports" / "shown" / "index.html").write_text("<h1>What the study found</h1>")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert update_views(lambda: plan, store, "gmm-study run shown") is None
    best, other = sorted(values, key=values.get, reverse=True)
    return bench, best, other


@pytest.fixture
def address(study):
    """Of the UI, served as a user does."""
    bench, port = study[0], free_port()
    process = bench.start("ui", "--port", str(port))
    wait_until(lambda: answers(port) or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    yield f"http://127.0.0.1:{port}"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture
def page(chromium):
    """A page of a browser that nobody has used before, and what it complains of."""
    context = chromium.new_context(viewport={"width": 1500, "height": 950})
    context.set_default_timeout(SLOW)
    complaints = []
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("response", lambda answer: complaints.extend(refused(answer)))
    page = context.new_page()
    page.complaints = complaints
    yield page
    context.close()


def refused(answer):
    """The address where a request was refused that is not MLflow's own for users without names."""
    mlflows_own = answer.url.endswith("/users/current")
    return [answer.url] if answer.status >= 400 and not mlflows_own else []


def in_new_tab(page, link):
    """The page that a link of a description opens, in a tab of its own."""
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=link, exact=True).first.click()
    return opened.value


def is_drawn(page, name):
    """Wait until a picture is shown."""
    part = quote(name, safe="")
    drawn = f"[...document.images].some(i => i.src.includes('{part}') && i.naturalWidth > 0)"
    page.wait_for_function(drawn)


def test_the_best_trial_of_a_method_and_its_pictures_are_three_clicks_away(study, page, address):
    _, best, other = study
    page.goto(address)
    page.get_by_role("link", name="shown", exact=True).first.click()
    page.get_by_text("Which of two does the browser show first?").first.wait_for()

    run = in_new_tab(page, "best gmm")
    run.get_by_role("heading", name=best).first.wait_for()
    run.get_by_text("2 of 2 replicates complete").first.wait_for()
    run.get_by_text("Show more").first.click()
    for name in ("samples.png", "samples_p_star.png", "inpainting.png"):
        is_drawn(run, f"pictures/{name}")

    table = in_new_tab(page, "trials")
    for name in (best, other):
        table.get_by_role("link", name=name, exact=True).first.wait_for()
    names = table.get_by_role("link").all_inner_texts()
    assert names.index(best) < names.index(other)
    assert not [name for name in names if name.startswith("replicate")]
    table.get_by_text("test/log_p", exact=True).first.wait_for()

    report = page.context.new_page()
    report.goto(f"{address}/reports/shown/index.html")
    report.get_by_text("What the study found").wait_for()
    assert page.complaints == []
