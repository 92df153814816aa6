"""Grids of pictures as PNG, and of moving chains as GIF."""

from collections.abc import Sequence
from io import BytesIO
from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from PIL import Image

GAP, BACKGROUND = 2, 64
WIDTH = 600
"""Approximate pixels to which a small grid is enlarged."""
FRAME_MILLISECONDS = 100
LAST_FRAME_MILLISECONDS = 1500
GREY_STEP = 17
"""An animation keeps 16 of 256 grey levels, which makes its file a third as large."""


def grid(
    images: Tensor, image_shape: tuple[int, int], columns: int | None = None
) -> NDArray[np.uint8]:
    """`images` `[N, D]` in [0, 1], white on black, row by row; a square without `columns`.

    Returns the pixels, `[height, width]`.
    """
    height, width = image_shape
    columns = columns or ceil(sqrt(len(images)))
    rows = ceil(len(images) / columns)
    shape = (rows * (height + GAP) + GAP, columns * (width + GAP) + GAP)
    canvas = np.full(shape, BACKGROUND, np.uint8)
    pixels = (images.reshape(-1, height, width).cpu().numpy() * 255).astype(np.uint8)
    for index, image in enumerate(pixels):
        top = GAP + index // columns * (height + GAP)
        left = GAP + index % columns * (width + GAP)
        canvas[top : top + height, left : left + width] = image
    return canvas


def completions_grid(
    data: Tensor, occluded: Tensor, completions: Tensor, image_shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """A column for each datapoint of `data` `[N, D]`: the original, the occluded one, completions.

    Where `occluded` `[N, D]` is set, the second row is grey; `completions` are `[N, chains, D]` in
    [0, 1]. Returns the pixels.
    """
    hidden = data.masked_fill(occluded, 0.5)
    rows = [data, hidden, *completions.unbind(1)]
    return grid(torch.cat(rows), image_shape, len(data))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """The content of a PNG file."""
    stream = BytesIO()
    # The default level takes three times as long, for a file that is a tenth smaller.
    _enlarged(pixels).save(stream, format="PNG", compress_level=1)
    return stream.getvalue()


def gif(frames: Sequence[NDArray[np.uint8]]) -> bytes:
    """The content of an animated GIF file that starts over after a pause."""
    first, *others = [_enlarged(frame // GREY_STEP * GREY_STEP) for frame in frames]
    stream = BytesIO()
    durations = [FRAME_MILLISECONDS] * len(others) + [LAST_FRAME_MILLISECONDS]
    first.save(
        stream, format="GIF", save_all=True, append_images=others, duration=durations, loop=0
    )
    return stream.getvalue()


def _enlarged(pixels: NDArray[np.uint8]) -> "Image.Image":
    from PIL import Image

    factor = max(1, round(WIDTH / pixels.shape[1]))
    size = (pixels.shape[1] * factor, pixels.shape[0] * factor)
    return Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)
