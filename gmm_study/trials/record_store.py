"""The records under one storage address, each in a folder of its own."""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from copy import copy

from gmm_study.addresses import redact
from gmm_study.errors import InputError
from gmm_study.storage.file_systems import address_of
from gmm_study.storage.folder import Folder
from gmm_study.storage.layers import Layers
from gmm_study.storage.ownership import Owner
from gmm_study.storage.pack import Pack
from gmm_study.storage.reach import check_writable, is_there, refusal_of
from gmm_study.trials import drivers
from gmm_study.trials.record import RESULT, Record
from gmm_study.trials.result import TrialResult


class RecordStore:
    """The records under one storage address: a folder, or a URI of any pyarrow file system.

    Raises `InputError` for what is not an address.
    """

    def __init__(self, storage: str) -> None:
        if not (isinstance(storage, str) and storage):
            raise InputError(f"storage: {storage!r} must be a folder or the URL of a bucket")
        self.given = storage
        self.storage = address_of(storage)
        self.folder = Folder.at(storage)
        self._was_found = False

    @property
    def root(self) -> str:
        """The path of the folder in its file system."""
        return self.folder.path

    @property
    def is_local(self) -> bool:
        """Whether the records are in a folder of this machine."""
        return self.folder.is_local

    def check_writable(self) -> None:
        """Raise `InputError` if records cannot be written here."""
        check_writable(self.folder, self.given)

    def exists(self) -> bool:
        """Whether there is such a folder; once found in a bucket, it is not looked for again.

        Raises `InputError` if the storage cannot be reached.
        """
        known = self._was_found and not self.is_local
        self._was_found = known or is_there(self.folder, self.given)
        return self._was_found

    def check_readable(self) -> None:
        """Raise `InputError` if a bucket that was found is gone or cannot be reached any more."""
        if not self.is_local:
            is_there(self.folder, self.given)

    def refusal_of(self, error: OSError) -> InputError:
        """Why the storage could not be read, in a line that says what would be right."""
        return refusal_of(error, self.folder, self.given, "read")

    def check_exists(self) -> None:
        """Raise `InputError` if there is no such folder."""
        if not self.exists():
            raise InputError(
                f"storage: there is no folder '{redact(self.given)}'; "
                "correct it, or train first: `gmm-study run` creates it"
            )

    def record(self, trial_id: str) -> Record:
        """The record of a trial, which need not exist yet. `InputError` if the id is a path."""
        if not re.fullmatch(r"\w[\w.-]*", trial_id):
            raise InputError(f"invalid trial id {trial_id!r}: it must name a folder of the storage")
        return Record.of(self.folder.inside(trial_id))

    def trial_ids(self) -> list[str]:
        """The ids of all trials that have a record."""
        return sorted(name for name in self.folder.folders() if not name.startswith("."))

    def listed(self, trial_ids: Iterable[str]) -> "RecordStore":
        """The store to read some trials' records from, now, and not to write to.

        In an S3 bucket, one list says which files have changed since they were last read, and only
        these are fetched. Elsewhere it is the store itself.
        """
        listed = copy(self)
        listed.folder = self.folder.listed(trial_ids)
        return listed

    def over(self, pack: Pack) -> "RecordStore":
        """The store to read records from, and not to write to: its own, and those of a pack.

        A trial is read from here if it has all replicates here that have ended in the pack, and the
        history of a search unless that in the pack is longer.
        """
        layered = copy(self)
        layered.folder = self.folder.over(pack, self._has_all)
        return layered

    def _has_all(self, trial_id: str, packed: Mapping[str, bytes]) -> bool:
        """Whether a trial has a result here, with all replicates that have ended in a pack."""
        try:
            own = self.record(trial_id).result()
        except ValueError:
            return False
        content = packed.get(f"{trial_id}/{RESULT}")
        if own is None or content is None:
            return own is not None
        return TrialResult.from_json(json.loads(content)).replicates.keys() <= own.replicates.keys()

    def own(self, trial_ids: Iterable[str]) -> frozenset[str]:
        """Those of these trials that are read from here, if others of them are from a pack."""
        layers, asked = self.folder.listing, frozenset(trial_ids)
        if not isinstance(layers, Layers):
            return frozenset()
        own = frozenset(filter(layers.is_own, asked))
        return own if own < asked else frozenset()

    def are_packed(self, trial_ids: Iterable[str]) -> bool:
        """Whether those of these trials that have a record are all read from a pack."""
        layers = self.folder.listing
        if not isinstance(layers, Layers):
            return False
        recorded = layers.folders.intersection(trial_ids)
        return bool(recorded) and not any(map(layers.is_own, recorded))

    def packed(self) -> Mapping[str, Mapping[str, bytes]]:
        """What is read from a pack: the files of each trial and of each search, by their paths."""
        layers = self.folder.listing
        return layers.packed() if isinstance(layers, Layers) else {}

    def the_only_driver(self, study: str) -> AbstractContextManager[None]:
        """Be the only process that runs a study here; `InputError` names the other one, if any."""
        return drivers.the_only_driver(self.folder, study, self.given)

    def ends_if_replaced(self, study: str) -> bool:
        """Whether this driver of a study was replaced; see `drivers.ends_if_replaced`."""
        return drivers.ends_if_replaced(self.folder, study)

    def driver(self, study: str) -> Owner | None:
        """The process that runs a study here, None if there is none; see `drivers.driver_of`."""
        return drivers.driver_of(self.folder, study)
