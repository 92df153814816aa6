"""The methods by name: gmm, rws, vae, and those that other packages declare."""

from gmm_study.catalogue import Catalogue
from gmm_study.errors import InputError, did_you_mean
from gmm_study.training.method import SBN, VAE, Method

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
)
RWS = Method(
    name="rws",
    summary="reweighted wake-sleep: log p by importance weighting",
    model=SBN,
    objective="gmm_study.objectives:ReweightedWakeSleep",
    reads=("q_baseline",),
    dreams=True,
)
VARIATIONAL = Method(
    name="vae",
    summary="variational autoencoder: the evidence lower bound, or its importance-weighted one",
    model=VAE,
    objective="gmm_study.objectives:VariationalBound",
    reads=("bound",),
    bound_label=lambda settings: settings.bound.upper(),
    samples=1,
    by_autograd=True,
)


def _check(method: Method) -> None:
    from gmm_study.training.hyperparameters import method_settings

    for name in method.settings:
        if name not in method_settings():
            hint = did_you_mean(name, method_settings())
            raise InputError(f"it reads '{name}', no setting that a method may ask for; {hint}")
    if method.has_p_star and not method.model.belief_network:
        raise InputError("it has a p*, which only a belief network has")


METHODS: Catalogue[Method] = Catalogue(
    GROUP, "method", Method, {method.name: method for method in (GMM, RWS, VARIATIONAL)}, _check
)
"""Every method by name; what is iterated over are names, and nothing is imported for them."""


def method_named(name: str) -> Method:
    """The declaration of a method. Raises `InputError` for an unknown or unusable one."""
    try:
        return METHODS[name]
    except KeyError:
        hint = did_you_mean(name, METHODS)
        raise InputError(f"method: '{name}' is unknown; {hint}") from None
