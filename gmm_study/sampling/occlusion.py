"""Which dimensions of a datapoint are hidden: a part of a picture, a fraction, or a list."""

import torch
from torch import Tensor

from gmm_study.errors import InputError, did_you_mean
from gmm_study.models import RandomStreams

PARTS = ("top", "bottom", "left", "right", "center")


def occluded_dims(
    how: str,
    datapoints: int,
    dims: int,
    image_shape: tuple[int, int] | None,
    streams: RandomStreams,
) -> Tensor:
    """The dimensions that are hidden in each datapoint, bool `[datapoints, dims]`.

    `how` is a half of a picture (`top`, `bottom`, `left`, `right`) or its middle (`center`); a
    fraction of the dimensions, drawn anew for each datapoint (`0.5`); or a list of dimensions,
    counted from 0 (`0,3,10-19`). Raises `InputError` for anything else, and if all or none would
    be hidden.
    """
    if how in PARTS:
        if image_shape is None:
            raise InputError(
                f"occlude: '{how}' is a part of a picture, but the data are not pictures; "
                "give a fraction as 0.5 or dimensions as 0,3,10-19"
            )
        hidden = _part(how, image_shape).expand(datapoints, -1)
    elif "." in how:
        hidden = _at_random(how, datapoints, dims, streams)
    else:
        hidden = torch.zeros(dims, dtype=torch.bool)
        hidden[_listed(how, dims)] = True
        hidden = hidden.expand(datapoints, -1)
    if hidden.all() or not hidden.any():
        raise InputError(f"occlude: '{how}' hides all or none of {dims} dimensions; hide only some")
    return hidden


def _part(name: str, image_shape: tuple[int, int]) -> Tensor:
    height, width = image_shape
    rows, columns = {
        "top": (slice(0, height // 2), slice(None)),
        "bottom": (slice(height - height // 2, None), slice(None)),
        "left": (slice(None), slice(0, width // 2)),
        "right": (slice(None), slice(width - width // 2, None)),
        "center": (_middle(height), _middle(width)),
    }[name]
    hidden = torch.zeros(height, width, dtype=torch.bool)
    hidden[rows, columns] = True
    return hidden.flatten()


def _middle(length: int) -> slice:
    quarter = length // 4
    return slice(quarter, length - quarter)


def _at_random(text: str, datapoints: int, dims: int, streams: RandomStreams) -> Tensor:
    try:
        fraction = float(text)
    except ValueError:
        fraction = -1.0
    if not 0.0 < fraction < 1.0:
        raise InputError(f"occlude: '{text}' must be a fraction above 0 and below 1")
    ranks = streams.uniform(datapoints, dims)[0].argsort(1).argsort(1)
    return (ranks < round(fraction * dims)).cpu()


def _listed(text: str, dims: int) -> list[int]:
    listed: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise InputError(
                f"occlude: '{text}' is not a part of a picture, a fraction or dimensions; "
                + did_you_mean(text, PARTS)
            )
        start, end = int(first), int(last if dash else first)
        if not start <= end < dims:
            raise InputError(
                f"occlude: '{part.strip()}' must name dimensions from 0 to {dims - 1}, "
                "the lower first"
            )
        listed += range(start, end + 1)
    return listed
