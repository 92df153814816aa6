"""Exact log p(x), log ptilde(x), log Z and log p*(x)."""

import torch
from torch import Tensor

from gmm_study.exact.limits import data_dims, enumerable, refuse, why_no_exact_z
from gmm_study.exact.messages import (
    GEOMETRIC_MEAN,
    LIKELIHOOD,
    MOST_PAIRS,
    SQUARED_WEIGHT,
    log_sums,
    messages,
    messages_below,
)
from gmm_study.exact.states import binary_states, ranges, replicates_alone
from gmm_study.models import Model, SigmoidBeliefNetwork


@torch.no_grad()
def exact_log_likelihoods(model: Model, data: Tensor) -> dict[str, Tensor]:
    """Exact values of every datapoint of `data` `[N, D]` of 0/1, in float64.

    `log_p` and `log_p_tilde` `[R, N]` in nats, the limits of the estimates as K grows
    (docs/spec.md#estimators); `ess` and `ess_star` `[R, N]`, (E_q w)^2 / E_q w^2 of
    w = p(x, h) / q(h | x) and of its square root;
    where they can be enumerated (`why_no_exact_z`), also `log_z2` `[R]` and `log_p_star` `[R, N]`.
    Raises `InputError` with the reason of `why_not_exact`, or if `data` does not have D columns.
    """
    network = enumerable(model, data)
    powers = (LIKELIHOOD, GEOMETRIC_MEAN, SQUARED_WEIGHT)
    parts = [log_sums(alone, data, powers) for alone in replicates_alone(network)]
    log_p, log_half, log_square = (torch.stack(rows) for rows in zip(*parts, strict=True))
    exact = {
        "log_p": log_p,
        "log_p_tilde": 2.0 * log_half,
        "ess": (2.0 * log_p - log_square).exp(),
        "ess_star": (2.0 * log_half - log_p).exp(),
    }
    if why_no_exact_z(model) is None:
        exact["log_z2"] = exact_log_z2(model)
        exact["log_p_star"] = exact["log_p_tilde"] - exact["log_z2"].unsqueeze(1)
    return exact


@torch.no_grad()
def exact_log_z2(model: Model) -> Tensor:
    """2 log Z = log sum_x ptilde(x) in nats, `[R]` in float64 (arXiv 1506.03877, section 2).

    Raises `InputError` with the reason of `why_no_exact_z`.
    """
    refuse(why_no_exact_z(model))
    return torch.stack([_log_z2(alone) for alone in replicates_alone(enumerable(model))])


def _log_z2(model: SigmoidBeliefNetwork) -> Tensor:
    device, dims = model.parameters.flat.device, data_dims(model)
    lowest = messages(model, [GEOMETRIC_MEAN])[0]
    total = torch.full((), -torch.inf, dtype=torch.float64, device=device)
    for start, stop in ranges(2**dims, MOST_PAIRS // dims):
        x = binary_states(dims, start, stop, device)
        (log_half,) = messages_below(model, 0, x, [GEOMETRIC_MEAN], lowest)
        total = torch.logaddexp(total, (2.0 * log_half).logsumexp(0))
    return total
