"""Which models can be enumerated, and in one line why others cannot."""

from torch import Tensor

from gmm_study.errors import InputError
from gmm_study.models import Model, SigmoidBeliefNetwork

MOST_STATE_BITS = 22
"""At most 2^22 states of all latent layers together, and at most 2^22 of the data."""
MOST_PAIR_BITS = 30
"""At most 2^30 pairs of a state of the data and a state of the first layer."""
MOST_ENTRIES = 2**26
"""Numbers in an answer that lists every latent state of every datapoint: half a gigabyte."""


def why_not_exact(model: Model) -> str | None:
    """Why log p(x) and log ptilde(x) of a model cannot be computed exactly; None if they can."""
    if not isinstance(model, SigmoidBeliefNetwork):
        return "latents are continuous: there are no states to enumerate"
    units = sum(latent_sizes(model))
    if units > MOST_STATE_BITS:
        return _too_many("exact values need the sum", units, f"{units} latent units")
    return None


def why_no_exact_z(model: Model) -> str | None:
    """Why log Z, and with it log p*(x), cannot be computed exactly; None if they can."""
    return _why_no_sum_over_data(model, "log Z needs the sum")


def why_no_exact_dreams(model: Model) -> str | None:
    """Why the mean over all (x, h) under p cannot be computed exactly; None if it can."""
    return _why_no_sum_over_data(model, "the sleep update needs the sum")


def _why_no_sum_over_data(model: Model, needs: str) -> str | None:
    reason = why_not_exact(model)
    if reason is not None or not isinstance(model, SigmoidBeliefNetwork):
        return reason
    dims, first = data_dims(model), latent_sizes(model)[0]
    if dims > MOST_STATE_BITS:
        return _too_many(needs, dims, f"{dims} dims")
    if dims + first > MOST_PAIR_BITS:
        what = f"{dims} dims and {first} units of the first layer"
        return _too_many(needs, dims + first, what, MOST_PAIR_BITS)
    return None


def enumerable(model: Model, data: Tensor | None = None) -> SigmoidBeliefNetwork:
    """The same model, typed as a belief network.

    Raises `InputError` if it cannot be enumerated, or if `data` is not `[N, D]`.
    """
    refuse(why_not_exact(model))
    assert isinstance(model, SigmoidBeliefNetwork)
    if data is not None and (data.ndim != 2 or data.shape[1] != data_dims(model)):
        shape = list(data.shape)
        raise InputError(f"data: shape {shape}; the model needs [N, {data_dims(model)}]")
    return model


def refuse(reason: str | None) -> None:
    """Raise `InputError` with the reason, if there is one."""
    if reason is not None:
        raise InputError(reason)


def data_dims(model: SigmoidBeliefNetwork) -> int:
    """D."""
    return model.inference[0].sizes[0]


def latent_sizes(model: SigmoidBeliefNetwork) -> list[int]:
    """Units n_1 .. n_L of the latent layers."""
    return [conditional.sizes[-1] for conditional in model.inference]


def _too_many(needs: str, bits: int, what: str, most: int = MOST_STATE_BITS) -> str:
    return f"{needs} over 2^{bits} states of {what}, at most 2^{most} can be enumerated"
