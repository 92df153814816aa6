"""The checkpoint of a record, wherever it is stored: in a folder or a bucket."""

from collections.abc import Sequence
from pathlib import Path

from gmm_study.addresses import redact
from gmm_study.errors import InputError
from gmm_study.storage.folder import Folder
from gmm_study.storage.reach import refusal_of
from gmm_study.training.checkpoint import META_FILE, MODEL_FILE, Checkpoint, read_checkpoint


def places_at(address: str) -> list[Folder]:
    """Where a checkpoint may be, given the address of a record or of its folder `checkpoint`."""
    record = Folder.at(address)
    return [record.inside("checkpoint"), record]


def find_files(places: Sequence[Folder]) -> tuple[Folder, dict[str, bytes]] | None:
    """The first place with both files of a checkpoint, and their contents; None if there is none.

    Raises `OSError` if a place cannot be read.
    """
    for folder in places:
        content = {name: folder.read_file(name) for name in (META_FILE, MODEL_FILE)}
        found = {name: each for name, each in content.items() if each is not None}
        if len(found) == len(content):
            return folder, found
    return None


def open_stored(address: str) -> Checkpoint:
    """The checkpoint at the address of a record in a bucket. Raises `InputError`."""
    places = places_at(address)
    try:
        found = find_files(places)
    except OSError as error:
        raise refusal_of(error, places[-1], address, "read", field="checkpoint") from None
    if found is None:
        raise InputError(
            f"checkpoint: '{redact(address)}' has no meta.json and model.safetensors; "
            "give the address of a trial's record"
        )
    return read_checkpoint(Path(found[0].path), found[1])
