"""The declaration of a method: its model, its objective, and what other code needs to know.

Plans and reports read declarations without training anything, so a declaration must not import
torch. It names its model and its objective as `module:name`; they are imported when they are built.
A method may use any of the settings in `hyperparameters.py`, but cannot add settings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gmm_study.training.hyperparameters import Hyperparameters

PENALTIES = ("l1", "l2")


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
    """Whether it is a `SigmoidBeliefNetwork` or inherits from it. Only such a model has a p*, exact
    values and inpainting; the work and the memory of any other are counted as those of a vae."""
    penalised: bool = False
    """Whether the settings `l1` and `l2` apply to its parameters that are called `...weight`."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method: a kind of model and what is ascended in it.

    `objective` makes a `gmm_study.objectives.Objective`. It is called with K as `samples`, and with
    the settings in `reads` by name. Its `add_gradient` runs without autograd's recording, which
    `torch.enable_grad()` turns on; on a GPU it is captured as a CUDA graph, so the host must read
    no tensor there and what is launched must hang on shapes alone.

    The name is part of a trial's identity and the rest is not: a method that comes to train
    otherwise needs another name.
    """

    name: str
    summary: str
    """What it ascends, in a line for people."""
    model: ModelKind
    objective: str | Callable[..., Any]
    reads: tuple[str, ...] = ()
    """Settings that the objective takes; those of the model are the model's to name."""
    bound_label: "str | Callable[[Hyperparameters], str]" = "log p"
    """What the bound estimates, for tables: a text, or a function of a configuration."""
    samples: int = 10
    """K of training where the setting `samples` is not given."""
    least_samples: int = 1
    """The smallest K of training that the objective can use."""
    has_p_star: bool = False
    """Whether it is trained towards p*, so that log ptilde, 2 log Z and log p* are estimated and
    p* is what is sampled from."""
    by_autograd: bool = False
    """Whether autograd goes back through the samples: a step counts as three passes, not two."""
    dreams: bool = False
    """Whether a step also passes over a sample of p for each datapoint, counted as work."""

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings that it reads and not every method does."""
        return (*self.model.reads, *(PENALTIES if self.model.penalised else ()), *self.reads)


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

VAE = ModelKind(name="vae", build="gmm_study.models:VariationalAutoencoder")
"""A variational autoencoder with a Gaussian z."""
