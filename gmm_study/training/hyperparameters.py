"""Every hyperparameter of a trial: its default, its meaning, what values it takes, who reads it."""

from collections.abc import Collection, Mapping
from dataclasses import Field, dataclass, field, fields
from functools import cache
from math import isfinite
from typing import Any

from gmm_study.errors import InputError, did_you_mean
from gmm_study.training.method import Method
from gmm_study.training.methods import METHODS, method_named

CHANGES_THE_BOUND = {"samples": "the K of their bound", "bound": "the kind of their bound"}
"""Settings under which the bounds of one method are different quantities."""


def setting(
    default: Any,
    help: str,
    *,
    group: str,
    choices: Collection[str] | None = None,
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    read_by: Mapping[str, tuple[str, ...]] | None = None,
    by_some_methods: bool = False,
    in_identity_at_default: bool = True,
) -> Any:
    """A field of `Hyperparameters` with all that the command line and the checks say of it.

    `read_by` names another setting and the values of it under which this one has a meaning; one
    that is read `by_some_methods` has a meaning for those that name it in their declaration. A
    setting that came after the first records does not count for the id at its default, so that
    their trials keep their ids.
    """
    facts = {
        "help": help,
        "group": group,
        "choices": choices,
        "at_least": at_least,
        "above": above,
        "below": below,
        "read_by": read_by or {},
        "by_some_methods": by_some_methods,
        "in_identity_at_default": in_identity_at_default,
    }
    return field(default=default, metadata=facts)


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """One configuration of a method, its model and its training; `InputError` if unusable."""

    method: str = setting(
        "gmm",
        "What is trained: gmm, rws, vae or another of `gmm-study methods`.",
        group="Model",
        choices=METHODS,
    )
    layers: tuple[int, ...] = setting(
        (100, 50, 25),
        "Units of the latent layers from the data up, as 48,24,12 or as a geometric rule "
        "depth=12,first=300,last=10. vae: the last is the Gaussian z, the others relu layers.",
        group="Model",
        at_least=1,
    )
    deterministic_layers: int = setting(
        0, "tanh layers inside each conditional.", group="Model", at_least=0, by_some_methods=True
    )
    initialisation: str = setting(
        "authors",
        "Initial weights, uniform in +-g: glorot's g is sqrt(6 / (fan_in + fan_out)), "
        "the authors' is that over fan_in.",
        group="Model",
        choices=("authors", "glorot"),
        by_some_methods=True,
        in_identity_at_default=False,
    )
    initial_bias: float = setting(
        -1.0,
        "Initial bias of every unit, the top prior's logits included.",
        group="Model",
        by_some_methods=True,
        in_identity_at_default=False,
    )
    top_prior: str = setting(
        "learned",
        "Whether p of the top layer is learned, or fixed at 1/2 a unit.",
        group="Model",
        choices=("learned", "fixed"),
        by_some_methods=True,
        in_identity_at_default=False,
    )
    probability_clip: float = setting(
        0.0,
        "Probabilities of units are kept in [clip, 1 - clip]; the authors' code has 1e-6.",
        group="Model",
        at_least=0,
        below=0.5,
        by_some_methods=True,
        in_identity_at_default=False,
    )
    samples: int | None = setting(
        None, "K, the samples per datapoint [10; vae: 1].", group="Objective", at_least=1
    )
    bound: str = setting(
        "elbo",
        "The bound that vae ascends.",
        group="Objective",
        choices=("elbo", "iwae"),
        by_some_methods=True,
    )
    q_baseline: str = setting(
        "uniform",
        "What is taken off the weights in q's gradient: 1/K or nothing.",
        group="Objective",
        choices=("uniform", "none"),
        by_some_methods=True,
    )
    l1: float = setting(
        0.0,
        "Factor of the sum of |weight|, taken off the bound.",
        group="Objective",
        at_least=0,
        by_some_methods=True,
    )
    l2: float = setting(
        0.0,
        "Factor of the sum of weight^2, taken off the bound.",
        group="Objective",
        at_least=0,
        by_some_methods=True,
    )
    optimizer: str = setting(
        "adam", "Gradient ascent rule.", group="Training", choices=("adam", "sgd", "rmsprop")
    )
    learning_rate: float = setting(1e-3, "Step size.", group="Training", above=0)
    momentum: float = setting(
        0.95, "Momentum.", group="Training", at_least=0, below=1, read_by={"optimizer": ("sgd",)}
    )
    batch_size: int = setting(100, "Datapoints a step.", group="Training", at_least=1)
    max_epochs: int = setting(1000, "Epochs at most.", group="Training", at_least=1)
    patience: int = setting(
        10,
        "Stop when the validation bound has not improved for so many epochs.",
        group="Training",
        at_least=1,
    )
    seed: int = setting(
        0, "Seed of all replicates; each has its own streams.", group="Training", at_least=0
    )
    matmul_precision: str = setting(
        "highest",
        "Precision of float32 matrix products in training steps, as torch names it: highest is "
        "float32; high and medium are tf32 on a GPU, medium is bfloat16 on a CPU that has it. "
        "Validation and evaluation are not touched.",
        group="Training",
        choices=("highest", "high", "medium"),
        in_identity_at_default=False,
    )
    evaluation_samples: int = setting(
        1000, "Samples per datapoint of the final log p.", group="Evaluation", at_least=1
    )

    def __post_init__(self) -> None:
        for spec in _specs().values():
            value = getattr(self, spec.name)
            if value is not spec.default:
                _check(spec, value)
        if self.samples is not None and self.samples < self.declaration.least_samples:
            least = f"{self.declaration.least_samples} for the method {self.method}"
            raise InputError(f"samples: {self.samples} must be at least {least}")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "Hyperparameters":
        """From what a user wrote, in a file or on a command line: text and numbers of any type."""
        specs = _specs()
        for name in values:
            if name not in specs:
                raise InputError(f"{name}: no such setting; {did_you_mean(name, specs)}")
        return cls(**{name: _convert(specs[name], value) for name, value in values.items()})

    def canonical(self) -> dict[str, Any]:
        """The settings that this configuration reads, defaults resolved; equal ones train alike."""
        specs = _specs()
        values = {name: getattr(self, name) for name in self.names_read}
        for name, value in values.items():
            if specs[name].type is float and type(value) is not float:
                values[name] = float(value)
        return values | {"layers": list(self.layers), "samples": self.samples_per_datapoint}

    @property
    def names_read(self) -> tuple[str, ...]:
        """The settings that have a meaning in this configuration."""
        return _read_where(self.method, *[getattr(self, name) for name in _deciding()])

    @property
    def declaration(self) -> Method:
        """What the method declares. `InputError` if its package's declaration cannot be used."""
        return method_named(self.method)

    def identity(self) -> dict[str, Any]:
        """What of the canonical settings a trial's id hangs on."""
        values = self.canonical()
        for name, default in _uncounted().items():
            if values.get(name) == default:
                values.pop(name, None)
        return values

    @property
    def samples_per_datapoint(self) -> int:
        """K: as set, or the method's default."""
        if self.samples is not None:
            return self.samples
        return self.declaration.samples

    def refuse_unread(self, names: Mapping[str, Any]) -> None:
        """Raise `InputError` for the first of `names` that has no meaning in this configuration."""
        for spec in _specs().values():
            if spec.name in names and spec.name not in self.names_read:
                needed = dict(spec.metadata["read_by"])
                if spec.metadata["by_some_methods"]:
                    needed["method"] = methods_that_read(spec.name)
                other = next(name for name in needed if getattr(self, name) not in needed[name])
                raise InputError(
                    f"{spec.name}: {names[spec.name]!r} would not be read; it needs {other} "
                    f"{' or '.join(needed[other])}, not {getattr(self, other)}"
                )


def methods_that_read(name: str) -> list[str]:
    """The names of the usable methods to which a setting means something."""
    return [m.name for m in METHODS.usable()[0].values() if name in m.settings]


@cache
def method_settings() -> tuple[str, ...]:
    """The settings that are read by the methods alone that name them in their declaration."""
    return tuple(spec.name for spec in _specs().values() if spec.metadata["by_some_methods"])


@cache
def _specs() -> dict[str, Field[Any]]:
    """The settings by name, looked up once: a plan makes a hundred thousand configurations."""
    return {spec.name: spec for spec in fields(Hyperparameters)}


@cache
def _uncounted() -> dict[str, Any]:
    """The settings that do not count for the id at their default, with that."""
    late = (spec for spec in _specs().values() if not spec.metadata["in_identity_at_default"])
    return {spec.name: spec.default for spec in late}


@cache
def _deciding() -> tuple[str, ...]:
    """The settings but the method on whose values it hangs whether others are read."""
    return tuple(
        dict.fromkeys(name for spec in _specs().values() for name in spec.metadata["read_by"])
    )


@cache
def _read_where(method: str, *values: str) -> tuple[str, ...]:
    """The settings that a method reads where the deciding ones have these values."""
    unread = {*method_settings()} - {*method_named(method).settings}
    decided = dict(zip(_deciding(), values, strict=True))
    return tuple(
        spec.name
        for spec in _specs().values()
        if spec.name not in unread
        and all(decided[name] in among for name, among in spec.metadata["read_by"].items())
    )


def geometric_sizes(depth: int, first: int, last: int) -> tuple[int, ...]:
    """Layer sizes that fall geometrically from `first` to `last`, rounded, never below 1."""
    if depth == 1:
        return (first,)
    ratio = (last / first) ** (1.0 / (depth - 1))
    return tuple(max(1, round(first * ratio**layer)) for layer in range(depth))


def parse_layers(value: Any) -> tuple[int, ...]:
    """Layer sizes of a list, of a rule `{depth, first, last}`, or of the text of either."""
    if isinstance(value, str):
        parts = [part.strip() for part in value.strip("[]{} ").split(",") if part.strip()]
        if any("=" in part for part in parts):
            value = dict(part.partition("=")[::2] for part in parts)
        else:
            value = parts
    if isinstance(value, Mapping):
        if set(value) != {"depth", "first", "last"}:
            raise InputError(f"layers: {dict(value)} needs depth, first and last, and no more")
        rule = {name: _whole(f"layers.{name}", size) for name, size in value.items()}
        for name, size in rule.items():
            if size < 1:
                raise InputError(f"layers.{name}: {size} must be at least 1")
        return geometric_sizes(**rule)
    sizes = [value] if isinstance(value, int) else value
    if not isinstance(sizes, list | tuple) or not sizes:
        raise InputError(f"layers: {value!r} must be a list of sizes or {{depth, first, last}}")
    return tuple(_whole("layers", size) for size in sizes)


def _convert(spec: Field[Any], value: Any) -> Any:
    if spec.name == "layers":
        return parse_layers(value)
    if value is None and spec.default is None:
        return None
    kind = spec.type
    if kind in (int, int | None):
        return _whole(spec.name, value)
    if kind is float:
        return _number(spec.name, value)
    if not isinstance(value, str):
        raise InputError(f"{spec.name}: {value!r} must be one of {', '.join(_choices(spec))}")
    return value


def _whole(name: str, value: Any) -> int:
    if isinstance(value, str) and value.strip().lstrip("+-").isdigit():
        return int(value)  # exact, where a float would round
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = _number(name, value)
    if number != int(number):
        raise InputError(f"{name}: {value!r} must be a whole number")
    return int(number)


def _number(name: str, value: Any) -> float:
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not isfinite(number):
        raise InputError(f"{name}: {value!r} must be a finite number")
    return number


def _choices(spec: Field[Any]) -> Collection[str]:
    choices: Collection[str] | None = spec.metadata["choices"]
    return () if choices is None else choices


def _check(spec: Field[Any], value: Any) -> None:
    choices, facts = _choices(spec), spec.metadata
    if spec.metadata["choices"] is not None and value not in choices:
        raise InputError(f"{spec.name}: '{value}' is unknown; {did_you_mean(value, choices)}")
    for number in value if isinstance(value, tuple) else (value,):
        if facts["at_least"] is not None and number < facts["at_least"]:
            raise InputError(f"{spec.name}: {number} must be at least {facts['at_least']}")
        if facts["above"] is not None and number <= facts["above"]:
            raise InputError(f"{spec.name}: {number} must be above {facts['above']}")
        if facts["below"] is not None and number >= facts["below"]:
            raise InputError(f"{spec.name}: {number} must be below {facts['below']}")
