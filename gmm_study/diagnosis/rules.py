"""The table of all rules, and their verdicts on a run, on its model, and on a choice of trials."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gmm_study.diagnosis import curves, figures, models
from gmm_study.diagnosis.finding import Missing, Verdict
from gmm_study.diagnosis.run import Run

if TYPE_CHECKING:
    from gmm_study.diagnosis.measured import Measured

OF_RECORDS: Mapping[str, Callable[[Run], Verdict]] = {
    curves.RISING: curves.still_rising,
    figures.COLLAPSED: figures.collapsed,
    curves.TOO_LARGE: curves.rate_too_large,
    curves.TOO_SMALL: curves.rate_too_small,
    figures.FEW_EFFECTIVE: figures.few_effective_samples,
}
"""The rules that need the record alone."""
OF_TRIALS: Mapping[str, Callable[[figures.Lead], Verdict]] = {
    figures.VALIDATION_NOISE: figures.validation_noise,
}
"""The rules that compare the trial with another one."""
OF_MODELS: Mapping[str, Callable[["Measured"], Verdict]] = {
    models.OVERFITTING_P: models.overfitting_of_p,
    models.OVERFITTING_Q: models.overfitting_of_q,
    models.AMORTISATION: models.amortisation_gap,
    models.LOOSE_BOUND: models.loose_bound,
    models.DEAD_UNITS: models.dead_units,
    models.SATURATED: models.saturated_layers,
    models.NOISY_GRADIENT: models.noisy_gradient_of_q,
}
"""The rules that need the model and the data."""
NAMES = (*OF_RECORDS, *OF_TRIALS, *OF_MODELS)


def judge_record(run: Run) -> list[Verdict]:
    """The verdict of every rule that needs the record alone."""
    return [rule(run) for rule in OF_RECORDS.values()]


def judge_model(measured: "Measured") -> list[Verdict]:
    """The verdict of every rule that needs the model and the data."""
    return [rule(measured) for rule in OF_MODELS.values()]


def without(rules: Mapping[str, object], why: str) -> list[Verdict]:
    """The rules as left out, for one reason."""
    return [Missing(name, why) for name in rules]
