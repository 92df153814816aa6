"""The declaration of a method: its model, its objective, and what other code needs to know.

Plans and reports read declarations without training anything, so a declaration must not import
torch. It names its model and its objective as `module:name`; they are imported when they are built.
A method may use any of the settings in `declared.py`, and add some of its own.
"""

from collections.abc import Callable
from dataclasses import Field, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gmm_study.training.hyperparameters import Hyperparameters

PENALTIES = ("l1", "l2")
OF_P_STAR = ("z_samples",)


@dataclass(frozen=True, kw_only=True)
class ModelKind:
    """A kind of model that methods train.

    `build` makes a `gmm_study.models.Model`. It is called with the data's dimensions, the sizes of
    the latent layers from the data up, the number of replicates R, `device` and `dtype`, and with
    the settings in `reads` by name.
    """

    name: str
    build: str | Callable[..., Any]
    reads: tuple[str, ...] = ()
    """Settings (`gmm-study train --help`) that `build` takes."""
    belief_network: bool = False
    """Whether it is a `SigmoidBeliefNetwork` or a subclass. Only such a model has a p*, exact
    values and inpainting. The work and memory of any other model are estimated as for a vae."""
    penalised: bool = False
    """Whether `l1` and `l2` apply to its parameters whose names end in `weight`."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method: a kind of model and the objective that its training maximises.

    `objective` makes a `gmm_study.objectives.Objective`. It is called with K as `samples`, and with
    the settings in `reads` by name. Its `add_gradient` runs with autograd switched off;
    `torch.enable_grad()` switches it on. On a GPU it is captured as a CUDA graph, so the host must
    not read any tensor in it, and the launched kernels must depend on shapes only.

    Only the name is part of a trial's identity. If you change how the method trains, give it a new
    name.
    """

    name: str
    summary: str
    """One line for users that says what it maximises."""
    model: ModelKind
    objective: str | Callable[..., Any]
    reads: tuple[str, ...] = ()
    """Settings that the objective uses; the settings of the model are declared by the model."""
    adds: tuple[Field[Any], ...] = ()
    """Settings that it adds (`gmm_study.training.values.new_setting`). `objective` is called with
    them by name; study files and commands use them like any others."""
    bound_label: "str | Callable[[Hyperparameters], str]" = "log p"
    """The name in tables of what the bound estimates: a text, or a function of a configuration."""
    samples: int = 10
    """The K of training if the setting `samples` is not given."""
    least_samples: int = 1
    """The smallest K of training that the objective can use."""
    has_p_star: bool = False
    """Whether it trains a p*, so that log ptilde, 2 log Z and log p* are estimated, and samples are
    drawn from p*."""
    by_autograd: bool = False
    """Whether autograd differentiates through the samples. A step then counts as three passes
    instead of two."""
    exact_direction: str | Callable[..., Any] | None = None
    """The direction `[R, P]` that the objective ascends as K grows, of a model whose states can be
    enumerated: a function of the model and of data `[N, D]`. None if it has a limit of its own for
    every K, as an unbiased gradient of a bound of K samples does."""
    recorded_on_cpu: bool = False
    """Whether a step of a small model on a CPU may be recorded and run again as well. It must then
    be as on a GPU, and use numpy for nothing."""
    dreams: bool = False
    """Whether a step also passes over a sample of p for each datapoint, which counts as work."""

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings that it uses and that not every method uses."""
        penalties = PENALTIES if self.model.penalised else ()
        of_p_star = OF_P_STAR if self.has_p_star else ()
        return (*self.model.reads, *penalties, *self.reads, *of_p_star)

    def added_setting(self, name: str) -> Field[Any] | None:
        """The setting of this name that the method adds; None if it adds none."""
        return next((spec for spec in self.adds if spec.name == name), None)


SBN = ModelKind(
    name="sbn",
    build="gmm_study.models:SigmoidBeliefNetwork",
    reads=(
        "deterministic_layers",
        "initialisation",
        "initial_bias",
        "top_prior",
        "probability_clip",
    ),
    belief_network=True,
    penalised=True,
)
"""A deep sigmoid belief network p with its inference model q."""

BASELINED_SBN = replace(SBN, name="baselined_sbn", build="gmm_study.models:BaselinedNetwork")
"""The same with a network that predicts the learning signal."""

VAE = ModelKind(
    name="vae",
    build="gmm_study.models:VariationalAutoencoder",
    reads=("vae_initialisation", "activation", "decoder_order", "encoder_output"),
)
"""A variational autoencoder with a Gaussian z."""
