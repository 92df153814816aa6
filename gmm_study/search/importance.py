"""How much each setting matters for the result of a search, by Optuna's fANOVA.

Only complete trials are used, at most 150, because the running time grows faster than their number.
"""

from collections.abc import Mapping, Sequence
from statistics import median_high
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

optuna.logging.set_verbosity(optuna.logging.ERROR)

FEWEST_TRIALS = 4
MOST_TRIALS = 150
"""With more trials, only every second, third, … one is used, to limit the running time."""
TREES = 16
NOT_READ = "not read"
LOG_SCALE_FROM = 20.0
"""The ratio of largest to smallest value above which the forest uses a setting's logarithm."""


def importances(settings: Mapping[str, Sequence[Any]], bounds: Sequence[float]) -> dict[str, float]:
    """The share of each setting in the variance of the bound, largest first; shares sum to 1.

    `settings` maps each setting to its value in every trial: a number, a text, or None if the trial
    does not use it. `bounds` are the trials' bounds in nats. If a trial does not use a numeric
    setting, the forest is given the median of the other trials. A setting with only one value has
    no share. The result is empty if there are fewer than four trials, no setting varies, or the
    bounds do not vary (Hutter, Hoos, Leyton-Brown, ICML 2014).
    """
    step = -(-len(bounds) // MOST_TRIALS)
    bounds = list(bounds)[::step]
    varying = {name: _told(list(values)[::step]) for name, values in settings.items()}
    varying = {name: values for name, values in varying.items() if len(set(values)) > 1}
    if len(bounds) < FEWEST_TRIALS or not varying or len(set(bounds)) < 2:
        return {}
    kinds = {name: _distribution(values) for name, values in varying.items()}
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        create_trial(
            value=bound,
            params={name: values[index] for name, values in varying.items()},
            distributions=kinds,
        )
        for index, bound in enumerate(bounds)
    )
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(n_trees=TREES, seed=0))


def _told(values: list[Any]) -> list[Any]:
    """The values with None replaced."""
    known = [value for value in values if value is not None]
    if len(known) == len(values) or not known:
        return values
    texts = any(isinstance(value, str) for value in known)
    filler = NOT_READ if texts else median_high(known)
    return [filler if value is None else value for value in values]


def _distribution(values: Sequence[Any]) -> BaseDistribution:
    if any(isinstance(value, str) for value in values):
        return CategoricalDistribution(list(dict.fromkeys(values)))
    low, high = float(min(values)), float(max(values))
    return FloatDistribution(low, high, log=low > 0 and high / low > LOG_SCALE_FROM)
