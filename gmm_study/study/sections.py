"""The sections `evaluation`, `gradients`, `resources` and `report` of a study file."""

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    FiniteFloat,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from gmm_study.errors import InputError
from gmm_study.study.section import AtLeastOne, NoTruth, Section
from gmm_study.study.settings import without_name
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.methods import method_named
from gmm_study.trials.asked_gradients import (
    DATAPOINTS,
    DRAWS,
    LEAST_DRAWS,
    STEP_SAMPLES,
    TARGET_SAMPLES,
    AskedGradients,
)
from gmm_study.trials.margin import MARGIN

SHARE = {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"const": "auto"}]}


class Evaluation(Section):
    """The section `evaluation`."""

    samples: int = Hyperparameters.evaluation_samples
    """K of the evaluation: samples per datapoint of the final log p."""
    selection_samples: int = Hyperparameters.selection_samples
    """K of the log p of the validation data by which trials are selected."""
    z_samples: int = Hyperparameters.z_samples
    """Samples of p for the final estimate of 2 log Z."""
    chunk_rows: AtLeastOne = 4000
    """Rows (datapoints times samples) in memory at a time; no part of a trial's identity."""

    @field_validator("samples", "selection_samples", "z_samples", mode="before")
    @classmethod
    def _check_samples(cls, value: Any, info: ValidationInfo) -> int:
        name = "evaluation_samples" if info.field_name == "samples" else str(info.field_name)
        try:
            samples: int = getattr(Hyperparameters.from_mapping({name: value}), name)
        except InputError as error:
            raise ValueError(without_name(error)) from error
        return samples


class Gradients(Section):
    """The section `gradients`: what to assess of every model that the study has trained."""

    methods: Annotated[list[StrictStr], Field(min_length=1)]
    """The methods whose gradients are assessed on each model, whichever method trained it. One that
    a model cannot be asked for is left out, such as nvil on the model of another method."""
    samples: list[AtLeastOne] = Field(list(STEP_SAMPLES), min_length=1)
    """The values of K of a step."""
    q_baselines: list[Literal["uniform", "none"]] = Field(["uniform"], min_length=1)
    """The baselines of q's gradient, for methods that have one."""
    draws: Annotated[StrictInt, Field(ge=LEAST_DRAWS)] = DRAWS
    """Independent gradient estimates of each kind."""
    target_samples: AtLeastOne = TARGET_SAMPLES
    """K of the gradient that others are compared with, of a model that is too large for an exact
    one."""
    datapoints: AtLeastOne = DATAPOINTS
    """The size of the batch, the first rows of the training data, or all if there are fewer."""

    @field_validator("methods")
    @classmethod
    def _check_methods(cls, value: list[str]) -> list[str]:
        try:
            for name in value:
                method_named(name)
        except InputError as error:
            raise ValueError(without_name(error)) from error
        return value

    @property
    def wanted(self) -> AskedGradients:
        """The same for the code that assesses them."""
        return AskedGradients(**self.model_dump())


class Resources(Section):
    """The section `resources`."""

    cpus: AtLeastOne = 1
    """CPU cores per trial, with one thread each."""
    gpus: Annotated[float | Literal["auto"], WithJsonSchema(SHARE)] = "auto"
    """The share of a GPU per trial; 0 trains on CPUs. With `auto`, trials use a GPU if Ray sees
    one, as many at a time as fit into its memory; otherwise they use CPUs."""
    concurrent: AtLeastOne | None = None
    """The maximum number of trials that run at a time; null: as many as fit."""
    autoscaling: StrictBool = False
    """Whether the Ray cluster has an autoscaler: a study then asks for nodes that are not there yet
    and waits for them, instead of stopping with an error if no node has what a trial needs."""
    checkpoint_seconds: Annotated[FiniteFloat, Field(gt=0), NoTruth] = 10.0
    """Seconds between two checkpoints of a trial."""
    heartbeat_seconds: Annotated[FiniteFloat, Field(ge=1), NoTruth] = 3600.0
    """A worker that completes no epoch and no evaluation chunk within this time is killed, and its
    trial is restarted from its checkpoint, as after the death of a worker."""
    time_limit_seconds: Annotated[FiniteFloat, Field(gt=0), NoTruth] | None = None
    """A trial that takes longer since its last start fails and keeps its checkpoint."""

    @field_validator("gpus", mode="before")
    @classmethod
    def _check_gpus(cls, value: Any) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value == "auto" or (is_number and 0 <= value <= 1):
            return value
        raise ValueError(f"{value!r} must be auto or a number from 0 to 1")


class Report(Section):
    """The section `report`."""

    x: StrictStr | None = None
    """The axis of the table's columns and the figure's x; the report selects over all others."""
    margin: Annotated[FiniteFloat, Field(gt=0), NoTruth] = MARGIN
    """Difference of test log p in nats below which two methods count as equivalent."""
