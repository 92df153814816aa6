"""The parts that `sample` and `inpaint` share: options, the model, sweeps, output files."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gmm_study.cli.as_json import print_json
from gmm_study.cli.console import bar, working
from gmm_study.cli.trained import machine_options
from gmm_study.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from gmm_study.models import Model, RandomStreams
    from gmm_study.sampling import GibbsChain
    from gmm_study.training.checkpoint import Checkpoint
    from gmm_study.training.method import Method

SWEEPS, MOST_FRAMES = 250, 60
PICTURE, TABLES = ".png", (".npz", ".csv")


def chain_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a model and its Gibbs chains."""
    options: list[Callable[[Callable[..., None]], Callable[..., None]]] = [
        click.option(
            "--sweeps",
            type=click.IntRange(1),
            help=f"Sweeps of the Gibbs chains of p*. [default: {SWEEPS}]",
        ),
        click.option(
            "--candidates",
            type=click.IntRange(2),
            help="Candidate states in each update of a layer. [default: 10]",
        ),
        click.option(
            "--animate",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help=f"Also write an animation of the chains, a .gif of at most {MOST_FRAMES} frames.",
        ),
        click.option(
            "--binary", is_flag=True, help="Show states (0 or 1) instead of the means p(x | h1)."
        ),
        click.option(
            "--replicate",
            type=click.IntRange(0),
            help="Number of the replicate. [default: the first that did not diverge]",
        ),
        machine_options("a description of the output"),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def chain_settings(sweeps: int | None, candidates: int | None) -> dict[str, Any]:
    """`sweeps` and `candidates` of the chains, with the defaults in the place of None."""
    from gmm_study.sampling import CANDIDATES

    return {"sweeps": sweeps or SWEEPS, "candidates": candidates or CANDIDATES}


@dataclass
class OpenedModel:
    """One replicate of a checkpoint."""

    checkpoint: "Checkpoint"
    model: "Model"
    replicate: int
    seed: int

    @classmethod
    def at(
        cls, path: str, replicate: int | None, seed: int, device: str, threads: int | None
    ) -> "OpenedModel":
        """The model in the folder of a checkpoint or record. `InputError` if there is none."""
        from gmm_study.api.checkpoints import open_trained

        checkpoint, chosen = open_trained(path, device, threads, working)
        index = checkpoint.usable_replicates()[0] if replicate is None else replicate
        model = checkpoint.model([index], chosen)
        if not model.parameters.flat.isfinite().all():
            raise InputError(f"replicate: {index} of '{path}' diverged and has no model")
        return cls(checkpoint, model, index, seed)

    @property
    def method(self) -> "Method":
        """The declaration of the checkpoint's method."""
        return self.checkpoint.hyperparameters.declaration

    def streams(self, purpose: str) -> "RandomStreams":
        """The random stream of this seed and replicate for a purpose."""
        from gmm_study.models import RandomStreams

        device = self.model.parameters.flat.device
        return RandomStreams(self.seed, [self.replicate], purpose, device)


def output_path(
    given: Path | None, stem: str, image_shape: tuple[int, int] | None, binary: bool
) -> Path:
    """The output file: as given, or STEM.png for image data, STEM.npz for other data.

    Raises `InputError` for an ending that does not fit the data, for a missing folder, and for
    `binary` with a file that is not an image.
    """
    endings = TABLES if image_shape is None else (PICTURE, *TABLES)
    path = given or Path(stem + (TABLES[0] if image_shape is None else PICTURE))
    known = " or ".join(endings)
    if path.suffix == PICTURE and image_shape is None:
        raise InputError(f"output: '{path}' must end in {known}, because the data are not images")
    if path.suffix not in endings:
        raise InputError(f"output: '{path}' must end in {known}")
    _check_folder("output", path)
    if binary and path.suffix != PICTURE:
        raise InputError(
            f"binary: '{path}' always has states of 0/1; use --binary only with a .png"
        )
    return path


def check_animation(path: Path | None, image_shape: tuple[int, int] | None) -> None:
    """Raise `InputError` if an animation is requested and cannot be written there."""
    if path is None:
        return
    if image_shape is None:
        raise InputError(f"animate: '{path}' needs image data, and the data are not images")
    if path.suffix != ".gif":
        raise InputError(f"animate: '{path}' must end in .gif")
    _check_folder("animate", path)


def write(option: str, path: Path, content: bytes) -> None:
    """Write the file of an option. Raises `InputError` if that fails."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InputError(f"{option}: '{path}' cannot be written: {error}") from None


def csv_lines(rows: "NDArray[Any]", heads: Iterator[str] | None = None) -> bytes:
    """Rows of 0/1 as comma separated lines, each after its head if heads are given."""
    lines = (",".join(map(str, row)) for row in rows.tolist())
    if heads is not None:
        lines = (f"{head},{line}" for head, line in zip(heads, lines, strict=True))
    return "".join(f"{line}\n" for line in lines).encode()


def run_chain(
    chain: "GibbsChain",
    settings: dict[str, Any],
    binary: bool,
    animate: Path | None,
    draw: "Callable[[Tensor], NDArray[Any]]",
) -> "tuple[Tensor, Tensor]":
    """Run `settings["sweeps"]` sweeps of the chain, with a progress bar on a terminal.

    Returns the chains' states and what to show of them (the states if `binary`, else their means),
    both `[C, D]`. Adds to the settings `moved`: for each layer from the data up, the mean fraction
    of updates that changed it. With `animate`, writes an animation of the images that `draw` makes
    at evenly spaced sweeps, including the start and the last.
    """
    import torch

    from gmm_study.sampling.images import gif

    def shown() -> "Tensor":
        return (chain.data if binary else chain.means())[0]

    sweeps = settings["sweeps"]
    frames = [draw(shown())] if animate else []
    every = max(1, -(-sweeps // (MOST_FRAMES - 1)))
    moved = []
    with bar("sweeps", sweeps) as advance:
        for done in range(1, sweeps + 1):
            moved.append(chain.sweep())
            if animate and (done % every == 0 or done == sweeps):
                frames.append(draw(shown()))
            advance(1)
    settings["moved"] = [round(value, 4) for value in torch.stack(moved).mean(0)[0].tolist()]
    if animate:
        write("animate", animate, gif(frames))
    return chain.data[0], shown()


def report(
    opened: OpenedModel,
    path: Path,
    animate: Path | None,
    settings: dict[str, Any],
    sentence: str,
    as_json: bool,
) -> None:
    """Print what was written: all settings as one JSON line, or a sentence."""
    if as_json:
        written = {"output": str(path), **({"animation": str(animate)} if animate else {})}
        model = {"checkpoint": str(opened.checkpoint.folder), "replicate": opened.replicate}
        print_json({**written, **model, "seed": opened.seed, **settings})
        return
    print(f"{path}: {sentence}")
    if animate:
        print(f"{animate}: an animation of the same chains")


def what_is_shown(path: Path, binary: bool) -> str:
    """`states` of 0/1, or `means` in an image without `--binary`."""
    return "states" if binary or path.suffix != PICTURE else "means"


def _check_folder(option: str, path: Path) -> None:
    from gmm_study.storage.file_systems import ADDRESS

    if ADDRESS.match(str(path)):
        raise InputError(f"{option}: '{path}' must be a path of this machine")
    if path.is_dir() or not path.parent.is_dir():
        problem = "is a folder" if path.is_dir() else f"needs the folder '{path.parent}'"
        raise InputError(f"{option}: '{path}' {problem}")
