import pytest
import torch

from gmm_study.errors import InputError
from gmm_study.models import RandomStreams
from gmm_study.sampling import occluded_dims


def hidden(how, dims=12, image_shape=(4, 3), datapoints=1):
    streams = RandomStreams(0, [0], "occlusion")
    return occluded_dims(how, datapoints, dims, image_shape, streams)


@pytest.mark.parametrize(
    ("part", "rows"),
    [
        ("top", ["###", "###", "...", "..."]),
        ("bottom", ["...", "...", "###", "###"]),
        ("left", ["#..", "#..", "#..", "#.."]),
        ("right", ["..#", "..#", "..#", "..#"]),
        ("center", ["...", "###", "###", "..."]),
    ],
)
def test_a_part_of_a_picture_is_hidden(part, rows):
    expected = torch.tensor([character == "#" for character in "".join(rows)])
    assert (hidden(part, datapoints=3) == expected).all()


def test_a_fraction_hides_as_many_dimensions_of_each_datapoint_others_in_each():
    found = hidden("0.25", dims=20, image_shape=None, datapoints=30)
    assert (found.sum(1) == 5).all()
    assert len(found.unique(dim=0)) > 20


def test_listed_dimensions_and_ranges_are_hidden():
    assert hidden("0, 3,7-9", image_shape=None)[0].nonzero().flatten().tolist() == [0, 3, 7, 8, 9]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("topp", "top"),
        ("1.0", "below 1"),
        ("0.0", "above 0"),
        ("0.x", "fraction"),
        ("12", "from 0 to 11"),
        ("3-", "dimensions"),
        ("5-2", "from 0 to 11"),
        ("0-11", "all or none"),
        ("", "dimensions"),
    ],
)
def test_what_cannot_be_hidden_is_answered_with_what_can(how, says):
    with pytest.raises(InputError) as error:
        hidden(how)
    assert f"occlude: '{how}'" in str(error.value)
    assert says in str(error.value)


def test_a_part_of_what_is_no_picture_is_refused():
    with pytest.raises(InputError, match="part of a picture"):
        hidden("top", image_shape=None)
