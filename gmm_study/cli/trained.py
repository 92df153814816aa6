"""The data that go with a trained model."""

from typing import TYPE_CHECKING

from gmm_study.errors import InputError

if TYPE_CHECKING:
    from gmm_study.data import Dataset
    from gmm_study.training.checkpoint import Checkpoint


def dataset_of(checkpoint: "Checkpoint", name: str | None) -> "Dataset":
    """The data that are named, or those of the training.

    Raises `InputError` if the dims do not fit, or if the training's data are not the same as then.
    """
    from gmm_study.data import load_dataset

    loaded = load_dataset(name or checkpoint.dataset_name)
    if loaded.dims != checkpoint.data_dims:
        dims = f"{loaded.dims} dims; the model has {checkpoint.data_dims}"
        raise InputError(f"dataset: '{loaded.name}' has {dims}")
    if name is None and loaded.sha256 != checkpoint.dataset_sha256:
        raise InputError(
            f"dataset: '{loaded.name}' is not what the model was trained on, its content differs; "
            "--dataset takes it all the same"
        )
    return loaded
