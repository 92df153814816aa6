"""Which gradients of a trained model to assess, with the defaults of commands and study files."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gmm_study.training.method import SBN
from gmm_study.training.methods import method_named

STEP_SAMPLES = (1, 2, 5, 10, 50)
"""The values of K."""
DRAWS, LEAST_DRAWS = 400, 40
"""Gradient estimates of each kind; at least two for each of the blocks of the jackknife."""
DATAPOINTS = 100
"""The size of the batch."""
TARGET_SAMPLES = 1000
"""K of the target of a model that is too large for an exact one."""


@dataclass(frozen=True)
class AskedGradients:
    """The gradients of `methods`, each with every K in `samples` and every baseline that it has."""

    methods: Sequence[str]
    samples: Sequence[int] = STEP_SAMPLES
    q_baselines: Sequence[str] = ("uniform",)
    draws: int = DRAWS
    target_samples: int = TARGET_SAMPLES
    """K of the target of a model that cannot be enumerated."""
    datapoints: int = DATAPOINTS
    """The size of the batch, the first rows of a split."""

    def to_json(self, replicates: int) -> dict[str, Any]:
        """Plain values, as the record of a trial with so many replicates stores them."""
        values = asdict(self) | {"replicates": replicates}
        return {
            name: list(value) if isinstance(value, list | tuple) else value
            for name, value in values.items()
        }


def can_be_assessed(method: str, trained_by: str) -> bool:
    """Whether gradients of a method can be assessed on the models that another one trains.

    They must be belief networks, with the parameters that the method needs.
    """
    asked, model = method_named(method).model, method_named(trained_by).model
    return model.belief_network and asked.build in (model.build, SBN.build)
