"""The evidence lower bound of a variational autoencoder, or its importance-weighted bound."""

import torch
from torch import Tensor

from gmm_study.models import RandomStreams, VariationalAutoencoder
from gmm_study.models.vae import kl_divergence, log_prior_ratio
from gmm_study.objectives.log_weights import effective_sample_size, log_p


class VariationalBound:
    """Ascends `elbo`, with analytic KL and K reparametrised samples, or `iwae`, the K-sample bound.

    Kingma and Welling, arXiv 1312.6114; Burda et al., arXiv 1509.00519. Gradients by autograd.
    """

    def __init__(self, samples: int, bound: str = "elbo") -> None:
        self.samples = samples
        self.importance_weighted = bound == "iwae"

    def add_gradient(
        self, model: VariationalAutoencoder, data: Tensor, streams: RandomStreams
    ) -> Tensor:
        """Add the ascent direction, mean over the batch `[R, B, D]`; returns the bound `[R, B]`."""
        parameters = model.parameters
        with torch.enable_grad():
            tensors = {name: parameters[name].detach().requires_grad_() for name in parameters}
            bound = self._estimates(model, data, streams, tensors)["bound"]
            gradients = torch.autograd.grad(bound.mean(1).sum(), list(tensors.values()))
        for name, gradient in zip(tensors, gradients, strict=True):
            parameters.gradient(name).add_(gradient)
        return bound.detach()

    def estimates(
        self, model: VariationalAutoencoder, data: Tensor, streams: RandomStreams
    ) -> dict[str, Tensor]:
        """`bound`, `log_p` and `ess` of each datapoint with K samples, `[R, B]`."""
        tensors = model.parameters.views_of(model.parameters.flat)
        return self._estimates(model, data, streams, tensors)

    def _estimates(
        self,
        model: VariationalAutoencoder,
        data: Tensor,
        streams: RandomStreams,
        tensors: dict[str, Tensor],
    ) -> dict[str, Tensor]:
        encoding = model.encode(data, self.samples, streams, tensors)
        log_likelihood = model.log_likelihood(data, encoding.z, tensors)
        log_weights = log_likelihood + log_prior_ratio(encoding)
        estimate = log_p(log_weights)
        if self.importance_weighted:
            bound = estimate
        else:
            bound = log_likelihood.mean(2) - kl_divergence(encoding)
        return {"bound": bound, "log_p": estimate, "ess": effective_sample_size(log_weights)}
