"""The evidence lower bound of a variational autoencoder, or its importance-weighted bound."""

from typing import NamedTuple

import torch
from torch import Tensor

from gmm_study.models import RandomStreams, VariationalAutoencoder
from gmm_study.models.vae import kl_divergence, log_prior_ratio
from gmm_study.objectives.log_weights import effective_sample_size, log_p


class VariationalBound:
    """Ascends `elbo`, with analytic KL and K reparametrised samples, or `iwae`, the K-sample bound.

    Kingma and Welling, arXiv 1312.6114; Burda et al., arXiv 1509.00519. Gradients by autograd. With
    `kl_warm_up_epochs`, the gradient is that of the bound with a weight at the KL divergence, or at
    each sample's log p(z) - log q(z | x) in `iwae`. The weight rises linearly from 0 in the first
    epoch to 1 after as many epochs (Bowman et al., arXiv 1511.06349). All returned bounds have the
    weight 1.
    """

    def __init__(self, samples: int, bound: str = "elbo", kl_warm_up_epochs: int = 0) -> None:
        self.samples = samples
        self.importance_weighted = bound == "iwae"
        self.warm_up_epochs = kl_warm_up_epochs
        self._weight, self._kl_weight = 1.0, torch.ones(())
        self.begin_epoch(1)

    def begin_epoch(self, epoch: int) -> None:
        """Set the weight of the KL divergence in the steps of an epoch, the first of which is 1."""
        if self.warm_up_epochs:
            self._weight = min(1.0, (epoch - 1) / self.warm_up_epochs)
            self._kl_weight.fill_(self._weight)

    def add_gradient(
        self, model: VariationalAutoencoder, data: Tensor, streams: RandomStreams
    ) -> Tensor:
        """Add the ascent direction, mean over the batch `[R, B, D]`; returns the bound `[R, B]`."""
        parameters = model.parameters
        with torch.enable_grad():
            tensors = {name: parameters[name].detach().requires_grad_() for name in parameters}
            terms = self._terms(model, data, streams, tensors)
            bound = self._bound(terms)
            ascended = self._warmed_up(terms) if self.warm_up_epochs else bound
            gradients = torch.autograd.grad(ascended.mean(1).sum(), list(tensors.values()))
        for name, gradient in zip(tensors, gradients, strict=True):
            parameters.gradient(name).add_(gradient)
        return bound.detach()

    def estimates(
        self, model: VariationalAutoencoder, data: Tensor, streams: RandomStreams
    ) -> dict[str, Tensor]:
        """`bound`, `log_p` and `ess` of each datapoint with K samples, `[R, B]`."""
        terms = self._terms(model, data, streams, model.parameters.views_of(model.parameters.flat))
        log_weights = terms.log_weights()
        estimate = log_p(log_weights)
        return {
            "bound": estimate if self.importance_weighted else self._bound(terms),
            "log_p": estimate,
            "ess": effective_sample_size(log_weights),
        }

    def _terms(
        self,
        model: VariationalAutoencoder,
        data: Tensor,
        streams: RandomStreams,
        tensors: dict[str, Tensor],
    ) -> "_Terms":
        encoding = model.encode(data, self.samples, streams, tensors)
        log_likelihood = model.log_likelihood(data, encoding.z, tensors)
        return _Terms(log_likelihood, log_prior_ratio(encoding), kl_divergence(encoding))

    def _bound(self, terms: "_Terms") -> Tensor:
        if self.importance_weighted:
            return log_p(terms.log_weights())
        return terms.log_likelihood.mean(2) - terms.kl

    def _warmed_up(self, terms: "_Terms") -> Tensor:
        if self._kl_weight.device != terms.kl.device:  # in the first step, which is not captured
            self._kl_weight = torch.full((), self._weight, device=terms.kl.device)
        return self._bound(terms.with_weight(self._kl_weight))


class _Terms(NamedTuple):
    """The parts of the bounds, in nats."""

    log_likelihood: Tensor
    """log p(x | z_k) of each sample, `[R, B, K]`."""
    log_prior_ratio: Tensor
    """log p(z_k) - log q(z_k | x) of each sample, `[R, B, K]`."""
    kl: Tensor
    """KL(q(z | x) || p(z)), `[R, B]`."""

    def log_weights(self) -> Tensor:
        """log p(x, z_k) - log q(z_k | x) of each sample, `[R, B, K]`."""
        return self.log_likelihood + self.log_prior_ratio

    def with_weight(self, weight: Tensor) -> "_Terms":
        """These terms with a weight at the divergence and at its estimates by the samples."""
        return _Terms(self.log_likelihood, weight * self.log_prior_ratio, weight * self.kl)
