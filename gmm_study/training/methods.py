"""The methods by name: the built-in ones, and those that other packages declare."""

from dataclasses import Field
from typing import Any

from gmm_study.catalogue import Catalogue
from gmm_study.errors import InputError, did_you_mean
from gmm_study.training.method import BASELINED_SBN, SBN, VAE, Method

GROUP = "gmm_study.methods"
"""The entry point group in which another package declares a `Method`."""

GMM = Method(
    name="gmm",
    summary="geometric mean matching: log ptilde, the bound of p* = sqrt(p q) / Z",
    model=SBN,
    objective="gmm_study.objectives:GeometricMeanMatching",
    reads=("q_baseline",),
    bound_label="log p̃",
    has_p_star=True,
    exact_direction="gmm_study.exact:exact_log_p_tilde_gradient",
    recorded_on_cpu=True,
)
RWS = Method(
    name="rws",
    summary="reweighted wake-sleep: log p by importance weighting",
    model=SBN,
    objective="gmm_study.objectives:ReweightedWakeSleep",
    reads=("q_baseline",),
    exact_direction="gmm_study.exact:exact_rws_direction",
    recorded_on_cpu=True,
    dreams=True,
)
VARIATIONAL = Method(
    name="vae",
    summary="variational autoencoder: the evidence lower bound, or its importance-weighted one",
    model=VAE,
    objective="gmm_study.objectives:VariationalBound",
    reads=("bound", "kl_warm_up_epochs"),
    bound_label=lambda settings: settings.bound.upper(),
    samples=1,
    by_autograd=True,
    recorded_on_cpu=True,
)
WAKE_WAKE = Method(
    name="wake_wake",
    summary="wake-wake: reweighted wake-sleep in which q gets no sleep update",
    model=SBN,
    objective="gmm_study.objectives:WakeWake",
    reads=("q_baseline",),
    exact_direction="gmm_study.exact:exact_wake_wake_direction",
    recorded_on_cpu=True,
)
VIMCO = Method(
    name="vimco",
    summary="variational inference for Monte Carlo objectives: the bound of K samples in p and q",
    model=SBN,
    objective="gmm_study.objectives:Vimco",
    least_samples=2,
    recorded_on_cpu=True,
)
NVIL = Method(
    name="nvil",
    summary="neural variational inference and learning: the evidence lower bound, by a learned "
    "baseline",
    model=BASELINED_SBN,
    objective="gmm_study.objectives:Nvil",
    bound_label="ELBO",
    recorded_on_cpu=True,
)

BUILT_IN = {method.name: method for method in (GMM, RWS, VARIATIONAL, WAKE_WAKE, VIMCO, NVIL)}
OPTIONAL_SETTINGS = tuple(
    dict.fromkeys(name for method in BUILT_IN.values() for name in method.settings)
)
"""The settings that only some methods read. Each method's declaration names those that it reads;
every method reads all other settings."""


def _check(method: Method) -> None:
    for name in method.settings:
        if name not in OPTIONAL_SETTINGS:
            hint = did_you_mean(name, OPTIONAL_SETTINGS)
            raise InputError(f"it reads '{name}', which no method can read; {hint}")
    names = [spec.name for spec in method.adds]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"it adds '{name}' twice")
    if method.has_p_star and not method.model.belief_network:
        raise InputError("it has a p*, but only a belief network can have one")


METHODS: Catalogue[Method] = Catalogue(GROUP, "method", Method, BUILT_IN, _check)
"""Every method by name. Iterating gives the names and imports no package."""


def added_setting(name: str, method: str) -> Field[Any] | None:
    """The setting of this name that a method adds, or else another method that can be used.

    None if no method adds it. Packages are searched only if the method itself does not add it.
    """
    if method in METHODS and (spec := METHODS[method].added_setting(name)):
        return spec
    return next((each for each in added_settings() if each.name == name), None)


def added_settings() -> list[Field[Any]]:
    """The settings that the methods of installed packages add."""
    return [spec for method in METHODS.usable()[0].values() for spec in method.adds]


def method_named(name: str) -> Method:
    """The declaration of a method. Raises `InputError` for an unknown or unusable one."""
    try:
        return METHODS[name]
    except KeyError:
        hint = did_you_mean(name, METHODS)
        raise InputError(f"method: '{name}' is unknown; {hint}") from None
