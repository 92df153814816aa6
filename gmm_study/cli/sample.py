"""`gmm-study sample`: samples of a trained model, as an image or as rows of 0/1."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gmm_study.cli.chains import (
    PICTURE,
    OpenedModel,
    chain_options,
    chain_settings,
    check_animation,
    csv_lines,
    output_path,
    report,
    run_chain,
    what_is_shown,
    write,
)
from gmm_study.cli.trained import checkpoint_argument
from gmm_study.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

MOST_SAMPLES = 10_000


@click.command()
@checkpoint_argument
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A .png image, or the samples as .npz (key `samples`) or .csv. "
    "[default: samples.png; samples.npz if the data are not images]",
)
@click.option(
    "--count",
    type=click.IntRange(1, MOST_SAMPLES),
    default=100,
    show_default=True,
    help="Number of samples, all of which are in memory.",
)
@click.option(
    "--from",
    "source",
    type=click.Choice(["p", "p_star"]),
    help="p: ancestral samples. p_star: Gibbs samples of p*, started from ancestral samples. "
    "[default: p_star for gmm, else p]",
)
@chain_options
def sample(
    checkpoint: str,
    output: Path | None,
    count: int,
    source: str | None,
    sweeps: int | None,
    candidates: int | None,
    animate: Path | None,
    binary: bool,
    replicate: int | None,
    seed: int,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Sample from a trained model.

    CHECKPOINT is a trial's record, its folder `checkpoint`, or bmnist-12, a model of handwritten
    digits that comes with gmm-study. An image shows the Bernoulli means p(x | h1) of the samples,
    or with --binary their states. .npz and .csv files hold the states, 0 or 1, [count, dims].

    --json: {output, animation, checkpoint, replicate, seed, from, count, sweeps, candidates, moved:
    [fraction], shown}, where `animation` is included with --animate, and `sweeps`, `candidates`
    and `moved` with --from p_star. `moved` is the fraction of updates that changed each layer, from
    the data up.

    Example: gmm-study sample bmnist-12 --output digits.png --animate chain.gif
    """
    opened = OpenedModel.at(checkpoint, replicate, seed, device, threads)
    image_shape = opened.checkpoint.image_shape
    source = source or ("p_star" if opened.method.has_p_star else "p")
    if source == "p_star" and not opened.method.model.belief_network:
        without = f"{opened.method.name} has no p*, which requires binary latent layers"
        raise InputError(f"from: {without}; use --from p")
    path = output_path(output, "samples", image_shape, binary)
    check_animation(animate, image_shape)
    settings: dict[str, Any] = {"from": source, "count": count}
    if source == "p":
        chain_only = {"sweeps": sweeps, "candidates": candidates, "animate": animate}
        for name, value in chain_only.items():
            if value is not None:
                raise InputError(f"{name}: '{value}' would have no effect; it needs --from p_star")
        from gmm_study.sampling import sample_p

        data, means = sample_p(opened.model, count, opened.streams("samples"))
        samples, shown = data[0], data[0] if binary else means[0]
    else:
        settings |= chain_settings(sweeps, candidates)
        samples, shown = _sample_p_star(opened, settings, animate, binary)
    write("output", path, _content(path, samples, shown, image_shape))
    settings["shown"] = what_is_shown(path, binary)
    mean = "p(x | h1)" if opened.method.model.belief_network else "p(x | z)"
    what = "states of 0/1" if settings["shown"] == "states" else f"means {mean}"
    law = "p* after " + f"{settings['sweeps']} sweeps" if source == "p_star" else "p"
    report(opened, path, animate, settings, f"{count} samples of {law}, {what}", as_json)


def _sample_p_star(
    opened: OpenedModel, settings: dict[str, Any], animate: Path | None, binary: bool
) -> "tuple[Tensor, Tensor]":
    """The states, and what the image shows of them, each `[count, D]`."""
    from gmm_study.sampling import GibbsChain
    from gmm_study.sampling.images import grid

    model: Any = opened.model
    shape: Any = opened.checkpoint.image_shape  # None only if nothing is drawn
    streams = opened.streams("samples")
    chain = GibbsChain.from_generated(model, settings["count"], streams, settings["candidates"])
    return run_chain(chain, settings, binary, animate, lambda shown: grid(shown, shape))


def _content(
    path: Path, samples: "Tensor", shown: "Tensor", image_shape: tuple[int, int] | None
) -> bytes:
    import numpy as np

    from gmm_study.sampling.images import grid, png

    if path.suffix == PICTURE and image_shape is not None:
        return png(grid(shown, image_shape))
    rows = samples.cpu().numpy().astype(np.uint8)
    if path.suffix == ".csv":
        return csv_lines(rows)
    stream = BytesIO()
    np.savez_compressed(stream, samples=rows)
    return stream.getvalue()
