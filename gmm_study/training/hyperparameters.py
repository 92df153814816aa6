"""All hyperparameters: default, meaning, allowed values, and the methods that use each of them.

This is the only place where a setting is declared. The study file, `--set`, `gmm-study train`,
`config.json` and the params in MLflow are all derived from it.

The details on which a reproduction depends are settings (initial weights and bias, top prior,
clipping, baseline), and the study `reproduction_details` measures the effect of each. Whether the
gradient is a sum or a mean over the batch is not a setting: Adam and RMSprop cancel a constant
factor, so it only rescales `l1` and `l2`, or with SGD the learning rate.
"""

from collections.abc import Mapping
from dataclasses import Field, dataclass, fields, replace
from functools import cache, cached_property
from typing import Any

from gmm_study.errors import InputError, did_you_mean
from gmm_study.training.method import Method
from gmm_study.training.methods import METHODS, OPTIONAL_SETTINGS, method_named
from gmm_study.training.stages import EXAMPLE, Stage, parse_stages
from gmm_study.training.values import check, convert, setting

CHANGES_THE_BOUND = {
    "samples": "the K of their bound",
    "bound": "the kind of their bound",
    "stages": "the stages of their training",
}
"""Settings that change the quantity that a method's bound estimates, with a description of each."""
ENDS_AT_A_RATE = ("cosine", "linear", "exponential")
"""The schedules that end at `final_learning_rate`."""


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """One configuration of a method, its model and its training.

    Raises `InputError` for a value outside its range.
    """

    method: str = setting(
        "gmm",
        "Method: gmm, rws, vae or another one that `gmm-study methods` lists.",
        group="Model",
        choices=METHODS,
    )
    layers: tuple[int, ...] = setting(
        (100, 50, 25),
        "Sizes of the latent layers from the data up, such as 48,24,12, or a geometric rule "
        "depth=12,first=300,last=10. vae: the last is that of z, the others are hidden layers.",
        group="Model",
        at_least=1,
    )
    deterministic_layers: int = setting(
        0, "Number of tanh layers inside each conditional.", group="Model", at_least=0
    )
    initialisation: str = setting(
        "authors",
        "Initial weights, uniform in +-g: glorot's g is sqrt(6 / (fan_in + fan_out)), "
        "authors divides that by fan_in.",
        group="Model",
        choices=("authors", "glorot"),
        in_identity_at_default=False,
    )
    initial_bias: float = setting(
        -1.0,
        "Initial bias of every unit, including the logits of the top prior.",
        group="Model",
        in_identity_at_default=False,
    )
    top_prior: str = setting(
        "learned",
        "Whether the prior of the top layer is learned, or fixed at 1/2 for each unit.",
        group="Model",
        choices=("learned", "fixed"),
        in_identity_at_default=False,
    )
    probability_clip: float = setting(
        0.0,
        "Clips the probabilities of units to [clip, 1 - clip]; the authors' code uses 1e-6.",
        group="Model",
        at_least=0,
        below=0.5,
        in_identity_at_default=False,
    )
    vae_initialisation: str = setting(
        "normal",
        "Initial weights of the vae's networks: normal is N(0, 0.1^2), as in the authors' code; "
        "glorot is uniform in +-sqrt(6 / (fan_in + fan_out)), he in +-sqrt(6 / fan_in).",
        group="Model",
        choices=("normal", "glorot", "he"),
        in_identity_at_default=False,
    )
    activation: str = setting(
        "relu",
        "Activation function of the hidden layers of the vae's networks.",
        group="Model",
        choices=("relu", "tanh", "logistic"),
        in_identity_at_default=False,
    )
    decoder_order: str = setting(
        "mirrored",
        "Order of the decoder's hidden layers: mirrored reverses that of the encoder, same keeps "
        "it, as the authors' code does.",
        group="Model",
        choices=("mirrored", "same"),
        in_identity_at_default=False,
    )
    encoder_output: str = setting(
        "log_variance",
        "What the vae's encoder returns beside the mean: log_variance is log sigma^2, log_sigma is "
        "log sigma, as in the authors' code.",
        group="Model",
        choices=("log_variance", "log_sigma"),
        in_identity_at_default=False,
    )
    samples: int | None = setting(
        None,
        "K of training: samples per datapoint in a step and in validation [10; vae: 1].",
        group="Objective",
        at_least=1,
        by_stage=True,
    )
    bound: str = setting(
        "elbo",
        "The bound that the vae maximises.",
        group="Objective",
        choices=("elbo", "iwae"),
        by_stage=True,
    )
    kl_warm_up_epochs: int = setting(
        0,
        "Epochs, in each stage, over which the weight of the KL divergence in the vae's elbo rises "
        "from 0 to 1, linearly. The reported bounds have the weight 1.",
        group="Objective",
        at_least=0,
        read_by={"bound": ("elbo",)},
        by_stage=True,
        in_identity_at_default=False,
    )
    q_baseline: str = setting(
        "uniform",
        "What is subtracted from the weights in q's gradient: uniform is 1/K, none is 0.",
        group="Objective",
        choices=("uniform", "none"),
    )
    l1: float = setting(
        0.0,
        "Factor of the sum of |weight|, a penalty on the bound.",
        group="Objective",
        at_least=0,
        by_stage=True,
    )
    l2: float = setting(
        0.0,
        "Factor of the sum of weight^2, a penalty on the bound.",
        group="Objective",
        at_least=0,
        by_stage=True,
    )
    optimizer: str = setting(
        "adam", "Optimiser.", group="Training", choices=("adam", "sgd", "rmsprop"), by_stage=True
    )
    learning_rate: float = setting(1e-3, "Learning rate.", group="Training", above=0, by_stage=True)
    schedule: str = setting(
        "constant",
        "How the learning rate changes: cosine, linear and exponential fall to final_learning_rate "
        "at the last of max_epochs; step multiplies it by step_factor every step_epochs.",
        group="Training",
        choices=("constant", *ENDS_AT_A_RATE, "step"),
        in_identity_at_default=False,
        by_stage=True,
    )
    warm_up_epochs: int = setting(
        0,
        "Epochs over which the learning rate rises to its full value, linearly.",
        group="Training",
        at_least=0,
        in_identity_at_default=False,
        by_stage=True,
    )
    hold_epochs: int = setting(
        0,
        "Epochs at the full learning rate, after the warm-up, before it falls.",
        group="Training",
        at_least=0,
        read_by={"schedule": (*ENDS_AT_A_RATE, "step")},
        in_identity_at_default=False,
        by_stage=True,
    )
    final_learning_rate: float = setting(
        1e-5,
        "Learning rate at the last of max_epochs.",
        group="Training",
        above=0,
        read_by={"schedule": ENDS_AT_A_RATE},
        in_identity_at_default=False,
        by_stage=True,
    )
    step_epochs: int = setting(
        100,
        "Epochs between two steps of the learning rate.",
        group="Training",
        at_least=1,
        read_by={"schedule": ("step",)},
        in_identity_at_default=False,
        by_stage=True,
    )
    step_factor: float = setting(
        0.1,
        "Factor of the learning rate at each step.",
        group="Training",
        above=0,
        below=1,
        read_by={"schedule": ("step",)},
        in_identity_at_default=False,
        by_stage=True,
    )
    momentum: float = setting(
        0.95,
        "Momentum.",
        group="Training",
        at_least=0,
        below=1,
        read_by={"optimizer": ("sgd",)},
        by_stage=True,
    )
    rmsprop_decay: float = setting(
        0.99,
        "Decay of RMSprop's mean of squared gradients; the authors' code uses 0.9.",
        group="Training",
        at_least=0,
        below=1,
        read_by={"optimizer": ("rmsprop",)},
        in_identity_at_default=False,
        by_stage=True,
    )
    batch_size: int = setting(
        100, "Datapoints per step.", group="Training", at_least=1, by_stage=True
    )
    max_epochs: int = setting(
        1000, "Maximum number of epochs.", group="Training", at_least=1, by_stage=True
    )
    patience: int = setting(
        10,
        "Stop when the criterion has not improved for this number of epochs.",
        group="Training",
        at_least=1,
        by_stage=True,
    )
    parameter_average: str = setting(
        "none",
        "An average of the parameters, validated beside the raw ones; the better of the two is "
        "kept. exponential forgets old steps, uniform is the mean from an epoch on.",
        group="Training",
        choices=("none", "exponential", "uniform"),
        in_identity_at_default=False,
        by_stage=True,
    )
    average_decay: float = setting(
        0.999,
        "Decay of the exponential average per step; the weights are normalised.",
        group="Training",
        above=0,
        below=1,
        read_by={"parameter_average": ("exponential",)},
        in_identity_at_default=False,
        by_stage=True,
    )
    average_from_epoch: int = setting(
        1,
        "First epoch of the uniform average.",
        group="Training",
        at_least=1,
        read_by={"parameter_average": ("uniform",)},
        in_identity_at_default=False,
        by_stage=True,
    )
    stages: tuple[Stage, ...] = setting(
        (),
        "Stages of the training, one after the other: a list of mappings such as "
        f"{EXAMPLE}. Each begins with the parameters that the one before kept; what it does not "
        "set is set beside it.",
        group="Training",
        in_identity_at_default=False,
    )
    criterion: str = setting(
        "bound",
        "What is estimated on the validation data to stop and to keep the best epoch: the bound of "
        "the method, or log p.",
        group="Training",
        choices=("bound", "log_p"),
        in_identity_at_default=False,
    )
    criterion_samples: int | None = setting(
        None,
        "K of the criterion [K of training].",
        group="Training",
        at_least=1,
        in_identity_at_default=False,
    )
    max_seconds: float | None = setting(
        None,
        "Seconds of training after which a replicate ends; the result then depends on the machine.",
        group="Training",
        above=0,
        in_identity_at_default=False,
    )
    validate_every: int = setting(
        1,
        "Validate after every n-th epoch, and after the last.",
        group="Training",
        at_least=1,
        in_identity_at_default=False,
    )
    warm_start: str | None = setting(
        None,
        "The id of a trial of the same store, or the path of a record or checkpoint, with whose "
        "parameters each replicate begins.",
        group="Training",
        in_identity_at_default=False,
    )
    seed: int = setting(
        0, "Seed of all replicates; each has its own streams.", group="Training", at_least=0
    )
    matmul_precision: str = setting(
        "highest",
        "Precision of float32 matrix products in training steps, as torch names it: highest is "
        "float32; high and medium are tf32 on a GPU, medium is bfloat16 on a CPU that has it. "
        "Validation and evaluation do not use it.",
        group="Training",
        choices=("highest", "high", "medium"),
        in_identity_at_default=False,
    )
    evaluation_samples: int = setting(
        1000,
        "K of the evaluation: samples per datapoint of the final log p.",
        group="Evaluation",
        at_least=1,
    )
    selection_samples: int = setting(
        100,
        "K of the log p of the validation data by which trials are selected.",
        group="Evaluation",
        at_least=1,
        in_identity_at_default=False,
    )
    z_samples: int = setting(
        10_000,
        "Samples of p for the final estimate of 2 log Z.",
        group="Evaluation",
        at_least=2,
        in_identity_at_default=False,
    )

    def __post_init__(self) -> None:
        for spec in _specs().values():
            value = getattr(self, spec.name)
            if value is not spec.default:
                check(spec, value)
        if not self.stages:
            self._check_together()
        for number, stage in enumerate(self.stages):
            try:
                replace(self, stages=(), **dict(stage))
            except InputError as error:
                inside = str(error).partition(":")[0] in dict(stage)
                raise InputError(f"stages.{number}.{error}" if inside else str(error)) from None

    def _check_together(self) -> None:
        """Raise `InputError` if settings do not fit each other."""
        for name in ("samples", "criterion_samples"):
            count = getattr(self, name)
            if count is not None and count < self.declaration.least_samples:
                least = f"{self.declaration.least_samples} for method {self.method}"
                raise InputError(f"{name}: {count} must be at least {least}")
        if self.schedule in ENDS_AT_A_RATE and self.final_learning_rate > self.learning_rate:
            raise InputError(
                f"final_learning_rate: {self.final_learning_rate:g} must be at most the "
                f"learning_rate, {self.learning_rate:g}"
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "Hyperparameters":
        """The configuration with these settings, which may be text or numbers of any type.

        Raises `InputError` for an unknown name or an invalid value.
        """
        specs = _specs()
        for name in values:
            if name not in specs:
                raise InputError(f"{name}: no such setting; {did_you_mean(name, specs)}")
        plain: dict[str, Any] = {
            name: parse_stages(value, specs) if name == "stages" else convert(specs[name], value)
            for name, value in values.items()
        }
        return cls(**plain)

    def canonical(self) -> dict[str, Any]:
        """The settings that are used, with defaults filled in. Equal ones train the same model.

        It only depends on the settings of every stage, not on where they are written: a setting
        has the value of the first stage that uses it, and `stages` holds what differs from that.
        There are no `stages` if there is only one.
        """
        stages = [stage._of_one_stage() for stage in self.stage_list]
        first: dict[str, Any] = {}
        for stage in stages:
            first = {**stage, **first}
        values = {name: first[name] for name in _specs() if name in first}
        if len(stages) > 1:
            values["stages"] = [
                {name: value for name, value in stage.items() if value != first[name]}
                for stage in stages
            ]
        return values

    def _of_one_stage(self) -> dict[str, Any]:
        """`canonical` of a configuration without stages."""
        specs = _specs()
        values = {name: getattr(self, name) for name in self.names_read}
        for name, value in list(values.items()):
            if value is None and name != "samples":  # no limit
                del values[name]
            elif specs[name].type in (float, float | None) and type(value) is not float:
                values[name] = float(value)
        values["layers"] = list(self.layers)
        if "samples" in values:
            values["samples"] = self.training_samples
        del values["stages"]
        return values

    @property
    def names_read(self) -> tuple[str, ...]:
        """The settings that have an effect in this configuration."""
        if not self.stages:
            return _read_where(self.method, *[getattr(self, name) for name in _deciding()])
        read = {name for stage in self.stage_list for name in stage.names_read}
        everywhere = set.intersection(*[{name for name, _ in stage} for stage in self.stages])
        return tuple(name for name in _specs() if name in read - everywhere)

    @cached_property
    def stage_list(self) -> "tuple[Hyperparameters, ...]":
        """The configuration of every stage; this one alone if there are no stages."""
        return tuple(replace(self, stages=(), **dict(each)) for each in self.stages) or (self,)

    @property
    def total_epochs(self) -> int:
        """The limit of epochs over all stages."""
        return sum(stage.max_epochs for stage in self.stage_list)

    @property
    def declaration(self) -> Method:
        """The declaration of the method. `InputError` if it comes from a broken package."""
        return method_named(self.method)

    def identity(self) -> dict[str, Any]:
        """The part of the canonical settings that a trial's id depends on."""
        values = self.canonical()
        for name, default in _uncounted().items():
            if values.get(name) == default:
                values.pop(name, None)
        return values

    @property
    def training_samples(self) -> int:
        """K of training: the setting `samples`, or the method's default."""
        if self.samples is not None:
            return self.samples
        return self.declaration.samples

    def refuse_unread(self, names: Mapping[str, Any]) -> None:
        """Raise `InputError` for the first of `names` that has no effect in this configuration."""
        for number, stage in enumerate(self.stages if "stages" in names else ()):
            try:
                self.stage_list[number].refuse_unread(dict(stage))
            except InputError as error:
                raise InputError(f"stages.{number}.{error}") from None
        for spec in _specs().values():
            if spec.name in names and spec.name not in self.names_read:
                if self.stages and all(spec.name in dict(stage) for stage in self.stages):
                    raise InputError(
                        f"{spec.name}: {names[spec.name]!r} would have no effect; every stage has "
                        "its own"
                    )
                raise InputError(
                    f"{spec.name}: {names[spec.name]!r} would have no effect; "
                    f"{self._what_it_needs(spec)}"
                )

    def _what_it_needs(self, spec: Field[Any]) -> str:
        """What a setting that is not used here needs, and what there is instead."""
        needed = dict(spec.metadata["read_by"])
        if spec.name in OPTIONAL_SETTINGS:
            needed["method"] = methods_that_read(spec.name)
        for name, wanted in needed.items():
            found = dict.fromkeys(str(getattr(stage, name)) for stage in self.stage_list)
            if not found.keys() & {*wanted}:
                return f"it needs {name} {' or '.join(wanted)}, not {' and '.join(found)}"
        wishes = [f"{name} {' or '.join(wanted)}" for name, wanted in needed.items()]
        return f"it needs {' and '.join(wishes)} in one stage"


def methods_that_read(name: str) -> list[str]:
    """The names of the usable methods that read a setting."""
    return [m.name for m in METHODS.usable()[0].values() if name in m.settings]


@cache
def _specs() -> dict[str, Field[Any]]:
    """The settings by name. Cached, because a plan creates a hundred thousand configurations."""
    return {spec.name: spec for spec in fields(Hyperparameters)}


@cache
def _uncounted() -> dict[str, Any]:
    """The settings that are left out of the id at their default, with that default."""
    late = (spec for spec in _specs().values() if not spec.metadata["in_identity_at_default"])
    return {spec.name: spec.default for spec in late}


@cache
def _deciding() -> tuple[str, ...]:
    """The settings, other than the method, on whose values it depends which settings are used."""
    return tuple(
        dict.fromkeys(name for spec in _specs().values() for name in spec.metadata["read_by"])
    )


@cache
def _read_where(method: str, *values: str) -> tuple[str, ...]:
    """The settings that a method uses, given the values of the deciding settings."""
    unread = {*OPTIONAL_SETTINGS} - {*method_named(method).settings}
    decided = dict(zip(_deciding(), values, strict=True))
    return tuple(
        spec.name
        for spec in _specs().values()
        if spec.name not in unread
        and all(decided[name] in among for name, among in spec.metadata["read_by"].items())
    )
