"""A trial's configuration and its id.

The id is a hash of the canonical hyperparameters (defaults filled in, settings that the method does
not use left out) and of the data's content. The name and path of the data are not part of it, so a
moved or recompressed file is the same data. A setting that was added later is left out while it has
its default, so that existing records keep their ids. `chunk_rows` of the evaluation is not part of
the id: it bounds memory and does not change what is estimated.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gmm_study.training.hyperparameters import Hyperparameters

SCHEMA = 1
"""Part of every id; raised when results of equal configurations can no longer be compared.

It was not raised when validation took the same random numbers at every epoch. Records from before
kept an epoch by fresh numbers, so the same configuration may keep another epoch today. They are
known by their lack of an `ending`.
"""

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class TrialConfig:
    """What is trained on what: the hyperparameters, and the data by their checksum."""

    hyperparameters: Hyperparameters
    dataset: str
    dataset_sha256: str

    @cached_property
    def trial_id(self) -> str:
        """A hash of the canonical hyperparameters and the data's checksum.

        It does not depend on the data's name or path, the machine, the number of replicates or the
        study.
        """
        return self._hash(self.hyperparameters.identity())

    @cached_property
    def prefix_id(self) -> str:
        """A hash that is equal for trials that train alike for as long as both train.

        It leaves out the settings of the evaluation, `max_epochs` and `patience`.
        """
        settings = self.hyperparameters.identity_of_training()
        for limit in ("max_epochs", "patience"):
            del settings[limit]
        return self._hash(settings)

    def _hash(self, settings: Mapping[str, Any]) -> str:
        identity = {
            "schema": SCHEMA,
            "dataset_sha256": self.dataset_sha256,
            "hyperparameters": settings,
        }
        return hashlib.sha256(_CANONICAL.encode(identity).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """The content of `config.json`."""
        return {
            "schema": SCHEMA,
            "trial_id": self.trial_id,
            "dataset": {"name": self.dataset, "sha256": self.dataset_sha256},
            "hyperparameters": self.hyperparameters.canonical(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "TrialConfig":
        """The configuration in the content of a `config.json`."""
        return cls(
            Hyperparameters.from_mapping(document["hyperparameters"]),
            document["dataset"]["name"],
            document["dataset"]["sha256"],
        )

    def flat(self) -> dict[str, Any]:
        """One row of names and plain values, for tables and MLflow; `layers` also gives `depth`."""
        settings = self.hyperparameters.canonical()
        layers = settings.pop("layers")
        if "stages" in settings:
            settings["stages"] = _CANONICAL.encode(settings["stages"])
        return {
            "dataset": self.dataset,
            "depth": len(layers),
            "layers": ",".join(map(str, layers)),
            **settings,
        }
