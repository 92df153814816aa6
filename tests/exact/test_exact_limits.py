"""What cannot be enumerated is refused in one line that says why; what can stays in memory."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gmm_study.errors import InputError
from gmm_study.exact import (
    exact_log_likelihoods,
    exact_log_p_gradient,
    exact_log_p_tilde_gradient,
    exact_log_z2,
    exact_posteriors,
    exact_rws_direction,
    why_no_exact_z,
    why_not_exact,
)
from gmm_study.models import SigmoidBeliefNetwork, VariationalAutoencoder

OF_DATA = [
    exact_log_likelihoods,
    exact_log_p_gradient,
    exact_log_p_tilde_gradient,
    exact_posteriors,
    exact_rws_direction,
]


def refusal(call, *arguments):
    with pytest.raises(InputError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_small_networks_have_everything_exact():
    for model in (SigmoidBeliefNetwork(16, [8], 1), SigmoidBeliefNetwork(16, [5, 3], 1)):
        assert why_not_exact(model) is None
        assert why_no_exact_z(model) is None


@pytest.mark.parametrize("function", OF_DATA)
def test_too_many_latent_units_are_refused_with_their_number(function):
    model = SigmoidBeliefNetwork(4, [15, 8], 1)
    reason = "exact values need the sum over 2^23 states of 23 latent units, at most 2^22 can be"
    assert str(why_not_exact(model)).startswith(reason)
    assert why_no_exact_z(model) == why_not_exact(model)
    assert refusal(function, model, torch.zeros(1, 4)) == why_not_exact(model)
    assert refusal(exact_log_z2, model) == why_not_exact(model)


@pytest.mark.parametrize("function", OF_DATA)
def test_a_vae_has_no_states_to_enumerate(function):
    model = VariationalAutoencoder(4, [3, 1], 1)
    assert str(why_not_exact(model)).startswith("latents are continuous")
    assert why_no_exact_z(model) == why_not_exact(model)
    assert refusal(function, model, torch.zeros(1, 4)) == why_not_exact(model)


def test_of_wide_data_the_likelihoods_are_exact_and_log_z_is_refused():
    model = SigmoidBeliefNetwork(64, [5, 3], 2)
    assert why_not_exact(model) is None
    reason = "log Z needs the sum over 2^64 states of 64 dims, at most 2^22 can be enumerated"
    assert why_no_exact_z(model) == reason
    assert refusal(exact_log_z2, model) == reason
    found = exact_log_likelihoods(model, torch.ones(3, 64))
    assert found.keys() == {"log_p", "log_p_tilde", "ess", "ess_star"}
    expected = torch.full((2, 3), 64 * torch.tensor(0.5).double().log().item()).double()
    torch.testing.assert_close(found["log_p"], expected)
    dreams = refusal(exact_rws_direction, model, torch.ones(3, 64))
    assert dreams == reason.replace("log Z", "the sleep update")


def test_too_many_pairs_of_data_and_first_layer_are_refused_for_log_z_alone():
    model = SigmoidBeliefNetwork(20, [11, 3], 1)
    assert why_not_exact(model) is None
    assert "2^31 states of 20 dims and 11 units" in str(why_no_exact_z(model))


@pytest.mark.parametrize("function", OF_DATA)
@pytest.mark.parametrize("shape", [(2, 5), (4,), (2, 3, 4)])
def test_data_of_another_shape_are_refused(function, shape):
    model = SigmoidBeliefNetwork(4, [2], 1)
    message = refusal(function, model, torch.zeros(shape))
    assert message == f"data: shape {list(shape)}; the model needs [N, 4]"


def test_posteriors_that_would_not_fit_are_refused():
    model = SigmoidBeliefNetwork(4, [20], 2)
    message = refusal(exact_posteriors, model, torch.zeros(100, 4))
    assert "2 replicates x 100 datapoints x 2^20 latent states" in message


class Largest(TorchDispatchMode):
    """Notes the bytes of the largest tensor that any operation gives."""

    bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.bytes = max(self.bytes, result.numel() * result.element_size())
        return result


@pytest.mark.parametrize(
    ("dims", "sizes", "datapoints"), [(400, [10], 300), (12, [5, 3], 100), (30, [9, 8], 20)]
)
def test_no_tensor_grows_with_the_number_of_pairs_of_states(dims, sizes, datapoints):
    model = SigmoidBeliefNetwork(dims, sizes, 3)
    data = torch.zeros(datapoints, dims, dtype=torch.uint8)
    with Largest() as largest:
        exact_log_likelihoods(model, data)
        exact_log_p_tilde_gradient(model, data)
        if dims < 20:
            exact_rws_direction(model, data)
    assert 0 < largest.bytes < 10e6
