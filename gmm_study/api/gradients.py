"""The quality of gradient estimates for a trained model, from Python."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmm_study.api.checkpoints import (
    check_counts,
    check_least,
    dataset_of,
    open_trained,
    rows_of,
    warn_user,
)
from gmm_study.api.defaults import DATAPOINTS, DRAWS, LEAST_DRAWS, STEP_SAMPLES, TARGET_SAMPLES
from gmm_study.api.feedback import Bar, RunObserver, Working, silently, without_bar
from gmm_study.errors import InputError
from gmm_study.training.hyperparameters import declared_settings
from gmm_study.training.methods import method_named
from gmm_study.training.state import TrialState
from gmm_study.training.values import check
from gmm_study.trials.asked_gradients import AskedGradients

if TYPE_CHECKING:
    import pandas as pd

    from gmm_study.api.planned_study import PlannedStudy


@dataclass(frozen=True)
class Gradients:
    """The quality of the gradients that methods estimate for one trained model.

    `rows` are those of `gmm_study.trials.gradients.GradientAssessment`.
    """

    checkpoint: str
    trained_by: str
    dataset: str
    split: str
    datapoints: int
    draws: int
    seed: int
    rows: list[dict[str, Any]]

    def frame(self) -> "pd.DataFrame":
        """A row for each method, baseline, K and part of the model."""
        import pandas as pd

        return pd.DataFrame(self.rows)


def gradients(
    checkpoint: Path | str,
    methods: Sequence[str] = (),
    samples: Sequence[int] = STEP_SAMPLES,
    *,
    q_baselines: Sequence[str] = ("uniform",),
    draws: int = DRAWS,
    target_samples: int = TARGET_SAMPLES,
    split: str = "train",
    dataset: str | None = None,
    datapoints: int = DATAPOINTS,
    replicate: int | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    working: Working = silently,
    bar: Bar = without_bar,
    warn: Callable[[str], None] = warn_user,
) -> Gradients:
    """Assess the gradients that methods estimate at the parameters of a trained belief network.

    `checkpoint` is the record of a trial, the folder `checkpoint` in it, or the name of a model
    that comes with the project. `methods` are compared on this one model (empty for the method that
    trained it), each with every K in `samples` that it can use and, if it has a baseline, with each
    of `q_baselines`. The gradients are those of one batch, the first `datapoints` rows of the
    split, `draws` independent ones of each kind. They are compared with the exact direction for
    large K; with the mean of draws with K = `target_samples` if the model cannot be enumerated; and
    with the mean of further draws for methods whose limit differs for every K. Raises `InputError`
    for what cannot be used, in one line.
    """
    check_least(1, datapoints=datapoints, threads=threads, target_samples=target_samples)
    check_least(0, seed=seed, replicate=replicate)
    check_least(LEAST_DRAWS, draws=draws)
    check_counts("samples", samples)
    for method in methods:
        method_named(method)  # before anything is read or fetched
    for name in q_baselines:
        check(declared_settings()["q_baseline"], name)
    opened, chosen = open_trained(str(checkpoint), device, threads, working)
    import torch

    from gmm_study.trials.gradients import GradientAssessment

    if replicate in opened.diverged:
        raise InputError(f"replicate: {replicate} diverged, so its model has no gradients")
    loaded = dataset_of(opened, dataset, working, warn)
    batch = torch.from_numpy(rows_of(loaded, split, datapoints)[:datapoints]).to(chosen).float()
    usable = opened.usable_replicates() if replicate is None else [replicate]
    compared = methods or [opened.method]
    wanted = AskedGradients(compared, samples, q_baselines, draws, target_samples, datapoints)
    asked = GradientAssessment(opened, batch, usable[0], wanted, seed)
    with bar("drawing gradients", float(len(asked.asked()))) as advance:
        rows = asked.rows(advance)
    facts = str(opened.folder), opened.method, loaded.name, split, len(batch), draws, seed
    return Gradients(*facts, rows)


def assess_study(planned: "PlannedStudy", observer: RunObserver) -> list[str]:
    """Assess the gradients that a study asks for of its complete trials that lack them.

    Returns a line for each trial of which that was not possible.
    """
    from gmm_study.trials.gradients import assess_record, holds_gradients

    section, problems = planned.study.gradients, list[str]()
    if section is None:
        return problems
    wanted = section.wanted
    lacking = [
        (trial, record)
        for trial in planned.plan.trials
        if planned.states[trial.config.trial_id] is TrialState.COMPLETE
        and trial.config.hyperparameters.declaration.model.belief_network
        and not holds_gradients(
            record := planned.store.record(trial.config.trial_id), wanted, trial.replicates
        )
    ]
    datasets = planned.datasets([trial for trial, _ in lacking])
    for number, (trial, record) in enumerate(lacking, 1):
        data = datasets[trial.config.dataset_sha256]
        with observer.working(f"assessing gradients, trial {number} of {len(lacking)}"):
            try:
                assess_record(record, data, wanted, trial.replicates)
            except (InputError, OSError) as error:
                problems.append(f"{trial.config.trial_id}: {error}")
    return problems
