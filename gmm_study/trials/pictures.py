"""Pictures of what a trained model generates, for data that are images."""

from io import BytesIO
from math import ceil, sqrt

import numpy as np
import torch
from torch import Tensor

from gmm_study.models import Model, RandomStreams

SAMPLES = 100


@torch.no_grad()
def sample_grid_png(model: Model, image_shape: tuple[int, int], streams: RandomStreams) -> bytes:
    """A PNG grid of p(x | h) for `SAMPLES` ancestral samples of the first replicate."""
    return _grid_png(model.generate_means(SAMPLES, streams)[0], image_shape)


def _grid_png(images: Tensor, image_shape: tuple[int, int], gap: int = 2) -> bytes:
    """`images` `[N, D]` in [0, 1] as a square grid, white on black, small images enlarged."""
    from PIL import Image

    height, width = image_shape
    columns = ceil(sqrt(len(images)))
    rows = ceil(len(images) / columns)
    canvas = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap), 64, np.uint8)
    pixels = (images.reshape(-1, height, width).cpu().numpy() * 255).astype(np.uint8)
    for index, image in enumerate(pixels):
        top = gap + index // columns * (height + gap)
        left = gap + index % columns * (width + gap)
        canvas[top : top + height, left : left + width] = image
    enlarge = max(1, 600 // canvas.shape[1])
    size = (canvas.shape[1] * enlarge, canvas.shape[0] * enlarge)
    stream = BytesIO()
    Image.fromarray(canvas).resize(size, Image.Resampling.NEAREST).save(stream, format="PNG")
    return stream.getvalue()
