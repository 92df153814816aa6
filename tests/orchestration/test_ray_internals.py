"""Ray still has everything that is used of it without being documented."""

import inspect
import mmap
import signal
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
import ray
from ray import tune
from ray.tune.experiment import Trial

from gmm_study.orchestration import ray_internals

pytestmark = pytest.mark.process


def lacks(what, where="gmm_study/orchestration/ray_internals.py"):
    return f"Ray {ray.__version__} no longer has {what}; see {where}"


@pytest.fixture(scope="module")
def sources():
    """The content of Ray's modules and of its compiled part."""
    folder = Path(ray.__file__).parent
    parts = ("_private", "_common", "air", "tune")
    texts = [path.read_bytes() for part in parts for path in (folder / part).rglob("*.py")]
    with (folder / "_raylet.so").open("rb") as file:
        yield [*texts, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)]


@pytest.mark.parametrize(
    "name",
    [
        *ray_internals.SETTINGS,
        ray_internals.CONNECT_TIMEOUT,
        ray_internals.NODE_TIMEOUT,
        ray_internals.JOB_CONFIG,
    ],
)
def test_ray_reads_the_setting(name, sources):
    spelt = {name.encode(), name.removeprefix("RAY_").encode()}  # compiled, without the prefix
    found = any(text.find(word) >= 0 for text in sources for word in spelt)
    assert found, lacks(f"the setting {name}")


def test_tune_keeps_moving_averages_of_a_trial_which_can_be_freed():
    trial = Trial("x", stub=True)
    trial.update_last_result({"training_iteration": 1, "bound": -1.0})
    assert trial.metric_analysis, lacks("Trial.metric_analysis")
    assert trial.metric_n_steps, lacks("Trial.metric_n_steps")
    ray_internals.forget_moving_averages(trial)
    assert not trial.metric_analysis
    assert not trial.metric_n_steps


def test_tune_counts_callbacks_by_a_function_that_can_be_replaced(monkeypatch):
    from ray.air._internal import usage

    called = "air_usage.tag_callbacks(callbacks)" in inspect.getsource(tune.tune)
    assert called, lacks("the call of ray.air._internal.usage.tag_callbacks")
    monkeypatch.setattr(usage, "tag_callbacks", usage.tag_callbacks)
    ray_internals.count_no_callbacks()
    assert usage.tag_callbacks([object()]) is False


def test_the_command_that_asks_a_head_is_there(monkeypatch):
    asked = []
    assert find_spec("ray.scripts.scripts"), lacks("ray.scripts.scripts")
    status = getattr(import_module("ray.scripts.scripts"), "status", None)
    assert isinstance(status, click.Command), lacks("the command `ray status` in its scripts")
    monkeypatch.setattr(status, "callback", lambda **options: asked.append(options))
    ray_internals.ask_head("127.0.0.1:6379")
    assert [options["address"] for options in asked] == ["127.0.0.1:6379"]


def test_ray_prints_errors_and_takes_over_sigterm_by_functions_that_can_be_replaced(monkeypatch):
    from ray._private import node, utils, worker

    assert "target=listen_error_messages" in inspect.getsource(worker), lacks("that thread")
    for module in (node, worker):
        called = "utils.set_sigterm_handler(" in inspect.getsource(module)
        assert called, lacks("the call of utils.set_sigterm_handler")
    monkeypatch.setattr(utils, "set_sigterm_handler", utils.set_sigterm_handler)
    monkeypatch.setattr(worker, "listen_error_messages", worker.listen_error_messages)
    before = signal.getsignal(signal.SIGTERM)
    ray_internals.leave_sigterm_alone()
    utils.set_sigterm_handler(signal.default_int_handler)
    assert signal.getsignal(signal.SIGTERM) == before
    ray_internals.print_no_errors_of_nodes()
    assert worker.listen_error_messages(None, None) is None
