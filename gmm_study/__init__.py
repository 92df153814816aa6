"""Studies of deep generative models with binary latent layers.

    import gmm_study

    study = gmm_study.load_study("depth_sweep", small=True)
    gmm_study.plan(study).frame()  # its trials, and where each of them stands
    gmm_study.run(study)  # trains what is missing, writes the report, fills MLflow
    gmm_study.load("results", study=study).replicates  # a row a seed, with its final figures

and for one trial without a study:

    trained = gmm_study.train("digits", layers=[48, 24], output="my_trial")
    gmm_study.evaluate("my_trial", exact=True).frame()

The command line does the same. Everything is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.frames import load
    from gmm_study.api.checkpoints import Annealing, evaluate, train
    from gmm_study.api.diagnoses import diagnose
    from gmm_study.api.feedback import RunObserver
    from gmm_study.api.gradients import gradients
    from gmm_study.api.studies import plan, report, run, sync
    from gmm_study.errors import InputError
    from gmm_study.study.load import load_study

_HOMES = {
    "Annealing": "gmm_study.api.checkpoints",
    "InputError": "gmm_study.errors",
    "RunObserver": "gmm_study.api.feedback",
    "diagnose": "gmm_study.api.diagnoses",
    "evaluate": "gmm_study.api.checkpoints",
    "gradients": "gmm_study.api.gradients",
    "load": "analysis.frames",
    "load_study": "gmm_study.study.load",
    "plan": "gmm_study.api.studies",
    "report": "gmm_study.api.studies",
    "run": "gmm_study.api.studies",
    "sync": "gmm_study.api.studies",
    "train": "gmm_study.api.checkpoints",
}

__all__ = [
    "Annealing",
    "InputError",
    "RunObserver",
    "diagnose",
    "evaluate",
    "gradients",
    "load",
    "load_study",
    "plan",
    "report",
    "run",
    "sync",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gmm_study' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
