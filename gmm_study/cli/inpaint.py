"""`gmm-study inpaint`: complete partly hidden datapoints with Gibbs chains of p*."""

from collections.abc import Iterator
from dataclasses import dataclass
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
from gmm_study.cli.console import warn, working
from gmm_study.cli.data import dataset_option
from gmm_study.cli.trained import checkpoint_argument, split_option
from gmm_study.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


@click.command()
@checkpoint_argument
@dataset_option("Data set to use instead of the training's: a name or a path.")
@split_option()
@click.option(
    "--datapoints",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Number of datapoints, drawn from the split with the seed.",
)
@click.option(
    "--chains", type=click.IntRange(1), default=10, show_default=True, help="Chains per datapoint."
)
@click.option(
    "--occlude",
    metavar="WHAT",
    help="The hidden part: top, bottom, left, right or center of an image; a random fraction of "
    "the dimensions, such as 0.5; or dimensions counted from 0, such as 0,3,10-19. "
    "[default: top; 0.5 if the data are not images]",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A .png image, or .npz or .csv. [default: inpainted.png; inpainted.npz if the data are "
    "not images]",
)
@chain_options
def inpaint(
    checkpoint: str,
    dataset: str | None,
    split: str,
    datapoints: int,
    chains: int,
    occlude: str | None,
    output: Path | None,
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
    """Complete datapoints of which a part is hidden.

    Gibbs chains of p* run with the visible part held fixed. CHECKPOINT is a trial's record, its
    folder `checkpoint`, or bmnist-12, which comes with gmm-study. An image has one column per
    datapoint: the original, the datapoint with the hidden part in grey, and the completion of each
    chain, as Bernoulli means p(x | h1) or with --binary as states. A .npz file holds `index`
    [datapoints] in the split, `original` and `occluded` [datapoints, dims], and `completions`
    [datapoints, chains, dims]. A .csv file has the rows of the image; each starts with the
    datapoint's index and `original`, `occluded` (1 where hidden) or the number of the chain.

    --json: {output, animation, checkpoint, replicate, seed, dataset, split, datapoints: [index],
    chains, occlude, sweeps, candidates, moved: [fraction], shown}, where `animation` is included
    with --animate, and `moved` is the fraction of updates that changed each layer, from the data
    up.

    Example: gmm-study inpaint results/5a7381c7aae1fcdb --occlude left --animate inpaint.gif
    """
    opened = OpenedModel.at(checkpoint, replicate, seed, device, threads)
    task = _Task.of(opened, dataset, split, datapoints, occlude)
    path = output_path(output, "inpainted", task.image_shape, binary)
    check_animation(animate, task.image_shape)
    settings: dict[str, Any] = {
        "dataset": task.dataset,
        "split": split,
        "datapoints": task.index.tolist(),
        "chains": chains,
        "occlude": task.occlude,
        **chain_settings(sweeps, candidates),
    }
    completions, shown = _complete(opened, task, settings, animate, binary)
    write("output", path, task.content(path, completions, shown))
    settings["shown"] = what_is_shown(path, binary)
    sentence = (
        f"{len(task.index)} datapoints of {task.dataset}, {split}, {task.occlude} hidden, "
        f"{chains} chains each after {settings['sweeps']} sweeps"
    )
    report(opened, path, animate, settings, sentence, as_json)


@dataclass
class _Task:
    """The datapoints, and the hidden part of each."""

    dataset: str
    """The name of the data set."""
    occlude: str
    """The hidden part, in words of the option `--occlude`."""
    index: "NDArray[Any]"
    """Rows in the split, `[N]`."""
    data: "Tensor"
    """`[N, D]` of 0/1."""
    occluded: "Tensor"
    """Bool, `[N, D]`."""
    image_shape: tuple[int, int] | None

    @classmethod
    def of(
        cls,
        opened: OpenedModel,
        dataset: str | None,
        split: str,
        datapoints: int,
        occlude: str | None,
    ) -> "_Task":
        """The task of these options. Raises `InputError` for a model without p*, and for data and
        a hidden part that do not fit."""
        import torch

        from gmm_study.api.checkpoints import dataset_of, rows_of
        from gmm_study.sampling import occluded_dims

        if not opened.method.model.belief_network:
            without = f"{opened.method.name} has no p*, which inpainting samples from"
            right = "give one of a belief network, such as gmm or rws"
            raise InputError(f"checkpoint: {without}; {right}")
        loaded = dataset_of(opened.checkpoint, dataset, working, warn)
        rows = rows_of(loaded, split, datapoints)
        flat = opened.model.parameters.flat
        streams = opened.streams("occluded datapoints")
        index = streams.permutations(len(rows))[0, :datapoints].sort().values.cpu().numpy()
        data = torch.from_numpy(rows[index]).to(flat.device, flat.dtype)
        how = occlude or ("0.5" if loaded.image_shape is None else "top")
        hidden = occluded_dims(how, datapoints, loaded.dims, loaded.image_shape, streams)
        return cls(loaded.name, how, index, data, hidden.to(flat.device), loaded.image_shape)

    def picture(self, completions: "Tensor") -> "NDArray[Any]":
        """The pixels of a grid of the completions `[N, chains, D]`."""
        from gmm_study.sampling.images import completions_grid

        assert self.image_shape is not None
        return completions_grid(self.data, self.occluded, completions, self.image_shape)

    def content(self, path: Path, completions: "Tensor", shown: "Tensor") -> bytes:
        """The content of the file: an image of `shown`, or the states, both `[N, chains, D]`."""
        import numpy as np

        from gmm_study.sampling.images import png

        if path.suffix == PICTURE:
            return png(self.picture(shown))
        arrays = [t.cpu().numpy().astype(np.uint8) for t in (self.data, self.occluded, completions)]
        original, occluded, completed = arrays
        if path.suffix == ".csv":
            rows = np.concatenate([original[:, None], occluded[:, None], completed], axis=1)
            return csv_lines(rows.reshape(-1, rows.shape[2]), self._heads(completed.shape[1]))
        stream = BytesIO()
        np.savez_compressed(
            stream, index=self.index, original=original, occluded=occluded, completions=completed
        )
        return stream.getvalue()

    def _heads(self, chains: int) -> Iterator[str]:
        for index in self.index:
            for row in ("original", "occluded", *map(str, range(chains))):
                yield f"{index},{row}"


def _complete(
    opened: OpenedModel, task: _Task, settings: dict[str, Any], animate: Path | None, binary: bool
) -> "tuple[Tensor, Tensor]":
    """The states, and what the image shows of them, both `[N, chains, D]`."""
    from gmm_study.sampling import inpainting_chain

    model: Any = opened.model
    chains, streams = settings["chains"], opened.streams("inpainting")
    data, candidates = task.data[None], settings["candidates"]
    chain = inpainting_chain(model, data, task.occluded, chains, streams, candidates)

    def by_datapoint(rows: "Tensor") -> "Tensor":
        return rows.view(-1, chains, *rows.shape[1:])

    def draw(shown: "Tensor") -> "NDArray[Any]":
        return task.picture(by_datapoint(shown))

    states, shown = run_chain(chain, settings, binary, animate, draw)
    return by_datapoint(states), by_datapoint(shown)
