"""A stream depends on the seed, the replicate and the purpose, and on nothing else."""

import pytest
import torch

from gmm_study.models import RandomStreams

DRAWS = {
    "uniform": lambda streams: streams.uniform(5, 3),
    "a few normals": lambda streams: streams.normal(2, 3),
    "many normals": lambda streams: streams.normal(50, 3),
    "permutations": lambda streams: streams.permutations(40),
}
every_kind_of_draw = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())


@every_kind_of_draw
def test_replicate_2_of_3_draws_what_it_draws_alone(draw):
    together = RandomStreams(7, [0, 1, 2], "noise")
    alone = RandomStreams(7, [2], "noise")
    for _ in range(3):
        assert torch.equal(draw(together)[2], draw(alone)[0])


@every_kind_of_draw
def test_another_seed_replicate_or_purpose_draws_other_numbers(draw):
    streams = [
        RandomStreams(seed, [replicate], purpose)
        for seed in (0, 1, 11)
        for replicate in (0, 1, 2, 11)
        for purpose in ("noise", "order")
    ]
    drawn = [tuple(draw(stream).flatten().tolist()) for stream in streams]
    assert len(set(drawn)) == len(drawn)


@every_kind_of_draw
def test_drawing_for_one_purpose_leaves_the_others_where_they_stand(draw):
    noise, order = (RandomStreams(0, [0], purpose) for purpose in ("noise", "order"))
    for _ in range(3):
        draw(order)
    assert torch.equal(draw(noise), draw(RandomStreams(0, [0], "noise")))


def test_replicates_do_not_share_their_numbers():
    draws = RandomStreams(0, [0, 1, 2], "noise").uniform(10_000)
    correlations = torch.corrcoef(draws)[~torch.eye(3, dtype=torch.bool)]
    assert (correlations.abs() < 4.0 / 10_000**0.5).all()


def test_every_replicate_has_an_order_of_its_own_that_visits_each_datapoint_once():
    orders = RandomStreams(0, [0, 1], "order").permutations(30)
    assert torch.equal(orders.sort(1).values, torch.arange(30).expand(2, -1))
    assert not torch.equal(orders[0], orders[1])


def test_the_state_of_a_generator_of_a_gpu_gives_numbers_that_depend_on_it_alone():
    of_a_gpu = [torch.full((16,), value, dtype=torch.uint8) for value in (1, 2)]
    first, second = (RandomStreams(seed, [0, 1], "noise") for seed in (0, 1))
    for streams in (first, second):
        streams.restore(of_a_gpu)
    draws = first.uniform(100)
    assert torch.equal(draws, second.uniform(100))
    assert not torch.equal(draws[0], draws[1])
