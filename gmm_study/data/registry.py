"""The data sets that have a name: sizes, upstream addresses and checksums."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gmm_study.catalogue import Catalogue
from gmm_study.data.dataset import SPLITS
from gmm_study.data.generated import bars_splits, digits_splits
from gmm_study.errors import InputError

_MADE = (
    "https://raw.githubusercontent.com/mgermain/MADE/514849eb9451311c02049f9e2d9a17fac589996a"
    "/datasets"
)
_MADE_RELEASE = "https://github.com/mgermain/MADE/releases/download/ICML2015"
_DEBD = (
    "https://raw.githubusercontent.com/arranger1044/DEBD/850908666388f1b1c766a304b37dae14613f1e51"
    "/datasets"
)
_SILHOUETTES = "https://people.cs.umass.edu/~marlin/data/caltech101_silhouettes_28_split1.mat"


@dataclass(frozen=True)
class RemoteFile:
    """A published file: its path in a data folder, its address, and the key of each split in it."""

    path: str
    url: str
    keys: dict[str, str]
    git_blob: str | None = None


@dataclass(frozen=True)
class NamedDataset:
    """A data set that has a name: built by `build`, or read from `files`, which are downloaded.

    `build` is a function, or its `module:name`, which is imported when it is called. It returns the
    splits `train`, `valid` and `test`, each `[N, dims]` of 0/1 of any numeric type, and must return
    the same at every call: the contents are part of the identity of the trials that use them.
    """

    name: str
    dims: int
    """D."""
    sizes: tuple[int, int, int]
    """Rows of train, valid and test."""
    source: str
    """Its source, in a line for people."""
    origin: str = "download"
    build: str | Callable[[], Mapping[str, Any]] | None = None
    files: tuple[RemoteFile, ...] = ()
    sha256: str | None = None
    """The checksum of the published contents (`Dataset.sha256`), if known. Then a plan does not
    have to build the data."""
    image_shape: tuple[int, int] | None = None
    """(height, width) if a datapoint is a picture, stored row by row."""
    column_major: bool = False
    """Whether the files store pictures column by column."""
    canonical_sha256: str | None = None
    """The checksum of the published contents in canonical order (`Dataset.with_canonical_test`), if
    known: the test rows of a copy may come in any order. If this or `sha256` is known, other
    contents are refused."""

    @property
    def has_known_contents(self) -> bool:
        """Whether a checksum of the contents is known."""
        return self.sha256 is not None or self.canonical_sha256 is not None


def _made_file(file: str, folder: str = _MADE, git_blob: str | None = None) -> RemoteFile:
    keys = {split: f"{split}_data" for split in SPLITS}
    return RemoteFile(f"made/{file}", f"{folder}/{file}", keys, git_blob)


def _uci(
    name: str,
    dims: int,
    sizes: tuple[int, int, int],
    file: RemoteFile,
    sha256: str | None = None,
    canonical_sha256: str | None = None,
) -> NamedDataset:
    source = "UCI, in Larochelle and Murray's splits (mgermain/MADE)"
    return NamedDataset(
        name, dims, sizes, source, files=(file,), sha256=sha256, canonical_sha256=canonical_sha256
    )


def _debd(
    name: str,
    dims: int,
    sizes: tuple[int, int, int],
    sha256: str | None = None,
    canonical_sha256: str | None = None,
) -> NamedDataset:
    places = {split: f"{name}/{name}.{split}.data" for split in SPLITS}
    files = tuple(
        RemoteFile(f"debd/{place}", f"{_DEBD}/{place}", {split: split})
        for split, place in places.items()
    )
    source = "density estimation benchmark (arranger1044/DEBD)"
    return NamedDataset(
        f"debd/{name}",
        dims,
        sizes,
        source,
        files=files,
        sha256=sha256,
        canonical_sha256=canonical_sha256,
    )


# The checksums come from published files, with three exceptions. `ocr_letters` was rebuilt from the
# raw letters; an archive of these arrays with the date 2015-05-14 21:57:34 has the published git
# blob, so they are exact. `adult` and `connect4` were rebuilt without the order of their test rows:
# train and valid are those of DEBD, test is the rest of LIBSVM's a9a and of UCI's positions. So
# only their `canonical_sha256` is known. A published file is recognised by its git blob alone.
_ENTRIES = [
    NamedDataset(
        "digits",
        64,
        (1_197, 300, 300),
        "scikit-learn's 8x8 digits, pixel > 7",
        origin="embedded",
        build=digits_splits,
        sha256="185199d2e1f4306e8a96e952b636395fcb088366802421d5880be19aefdb7026",
        image_shape=(8, 8),
    ),
    NamedDataset(
        "bars",
        16,
        (5_000, 5_000, 5_000),
        "bars and stripes on a 4x4 grid",
        origin="generated",
        build=bars_splits,
        sha256="0ea0ab5e044e1d77288dc6ea9a6f393d2ce101d9d06fad41cc2052fd97fd8189",
        image_shape=(4, 4),
    ),
    NamedDataset(
        "bmnist",
        784,
        (50_000, 10_000, 10_000),
        "binarized MNIST (Murray and Salakhutdinov; mgermain/MADE)",
        files=(_made_file("binarized_mnist.npz", _MADE_RELEASE),),
        sha256="1642677e348c6e9b98b658eeeb539caa65180fd36381647109bf869d70eb0161",
        canonical_sha256="22d08d6f92ec6d66ceef8ab591a9c9fafcf795a7951c2668d43084b97c63650b",
        image_shape=(28, 28),
    ),
    _uci(
        "adult",
        123,
        (5_000, 1_414, 26_147),
        _made_file("adult.npz", git_blob="cf506ae6b4a4b818a92a6c951d334e61eeb27d81"),
        canonical_sha256="1e09f3dbb4a07c8d8e139688c75c7f6e8038230dc0583ecf435ba8d91c8af8b6",
    ),
    _uci(
        "connect4",
        126,
        (16_000, 4_000, 47_557),
        _made_file("connect4.npz", git_blob="4685318ab6aabc98eec09b93ad4fa5debc24ec93"),
        canonical_sha256="0c0df3640bed298bcada54044fb0729a65f055b9a45275f008c959805feba647",
    ),
    _uci(
        "dna",
        180,
        (1_400, 600, 1_186),
        _made_file("dna.npz", git_blob="6375b479f1a0c6cdc4ff836d7e53c0814e10873f"),
        sha256="86e5949f09c31990113e855b969d765e05205cc5aa9c2944df7e27af1725c883",
        canonical_sha256="25311d50b02cf0f038cf355b44a6b69ce5c0ab68627d75de6a7153e136e56a0b",
    ),
    _uci(
        "mushrooms",
        112,
        (2_000, 500, 5_624),
        _made_file("mushrooms.npz", git_blob="a0349099324fa4b579228d31f8edb706c9d238dd"),
        sha256="ccef679174be6fbe55cef8e843af4e346169e8288f56b90a981a2ce8bd58d446",
        canonical_sha256="adc633aab141e3e24f7c2247b09a3860b1552b3d32cf3068d410bb5d0b5bb524",
    ),
    _uci(
        "nips",
        500,
        (400, 100, 1_240),
        _made_file("nips.npz", git_blob="bdc1319ac88d344ea518c6a5814996989ebdb7d8"),
        sha256="cc1d31e17a149896f68fc9c7b6f72639bfaab83de722f3df3b603166cfbfef84",
        canonical_sha256="3a7d6f48f6fa719779e0026a8ed197f7653e09593f207981ef654051e2a42f38",
    ),
    _uci(
        "ocr_letters",
        128,
        (32_152, 10_000, 10_000),
        _made_file("ocr_letters.npz", git_blob="b472383a2ddeddbc87b4e3019a3bd47736bddb37"),
        sha256="199eb5e2a9cf9b9418070bf484b169004b3e599f895c05c0368de3d667980e2e",
        canonical_sha256="5e17e4f261f755ba7fcd253e148663c7bb0e750e7e099ee2dbdd8ac2531e0e22",
    ),
    _uci("rcv1", 150, (40_000, 10_000, 150_000), _made_file("rcv1.npz", _MADE_RELEASE)),
    _uci(
        "web",
        300,
        (14_000, 3_188, 32_561),
        _made_file("web.npz", git_blob="a565424fc5782cb99d79788618cd6c332440a8a1"),
    ),
    NamedDataset(
        "silhouettes",
        784,
        (4_100, 2_264, 2_307),
        "Caltech 101 silhouettes, 28x28, split 1 (Marlin)",
        files=(
            RemoteFile(
                "silhouettes/caltech101_silhouettes_28_split1.mat",
                _SILHOUETTES,
                {"train": "train_data", "valid": "val_data", "test": "test_data"},
            ),
        ),
        sha256="1acb90c0478180963d059d1a211aa43ee942660b05c5db1803ec3203cae88d10",
        canonical_sha256="a4c347c2151313bb28910245a3cde10558eede0d67d9662e381ed4ee11d91daa",
        image_shape=(28, 28),
        column_major=True,
    ),
    _debd(
        "nltcs",
        16,
        (16_181, 2_157, 3_236),
        sha256="75353d827e8d6098abc3d38fb2b1493184d2539605b9b2f801b0c197f1b4b665",
        canonical_sha256="5ec3f16fa5b84c17b6276ac0da2ea03bb412236b0b3f717e011775c12952fba5",
    ),
    _debd("msnbc", 17, (291_326, 38_843, 58_265)),
    _debd("kdd", 64, (180_092, 19_907, 34_955)),
    _debd(
        "plants",
        69,
        (17_412, 2_321, 3_482),
        sha256="13fcba8c78ca0d46be648ad50a2a9d9ad59d91ddd99a038ddeca8ccafc54ad87",
        canonical_sha256="8d10d57f30a545e3fb2432060705f2576fae49c0b7bfc7de4d22e1bcc8a1c796",
    ),
    _debd("baudio", 100, (15_000, 2_000, 3_000)),
    _debd("jester", 100, (9_000, 1_000, 4_116)),
    _debd("bnetflix", 100, (15_000, 2_000, 3_000)),
    _debd("accidents", 111, (12_758, 1_700, 2_551)),
    _debd("tretail", 135, (22_041, 2_938, 4_408)),
    _debd(
        "pumsb_star",
        163,
        (12_262, 1_635, 2_452),
        sha256="0f40fdc0a33bce1973207f7889751f060fb4729e48ca99689ef88af378e0d7b3",
        canonical_sha256="ff90b211397bb793f99723ef7da03fbdb24015cfb70ad75bd42708a7f56c50a1",
    ),
    _debd("dna", 180, (1_600, 400, 1_186)),
    _debd("kosarek", 190, (33_375, 4_450, 6_675)),
    _debd("msweb", 294, (29_441, 3_270, 5_000)),
    _debd("book", 500, (8_700, 1_159, 1_739)),
    _debd("tmovie", 500, (4_524, 1_002, 591)),
    _debd("cwebkb", 839, (2_803, 558, 838)),
    _debd("cr52", 889, (6_532, 1_028, 1_540)),
    _debd("c20ng", 910, (11_293, 3_764, 3_764)),
    _debd(
        "bbc",
        1_058,
        (1_670, 225, 330),
        sha256="994b9ac1b0e21127a3ac7a3515038bdc2ef4687ee6b70655ef986cb803d6e0f6",
        canonical_sha256="f20745dddaa7eddb99b6ec31c01be8ddc5ae953a67b470336436784d185efdf7",
    ),
    _debd("ad", 1_556, (2_461, 327, 491)),
]

REGISTRY: dict[str, NamedDataset] = {entry.name: entry for entry in _ENTRIES}
"""The built-in ones."""

GROUP = "gmm_study.datasets"
"""The entry point group in which another package declares a `NamedDataset`."""


def _check(entry: NamedDataset) -> None:
    if (entry.build is None) == (not entry.files):
        raise InputError("it must have either build or files")


DATASETS: Catalogue[NamedDataset] = Catalogue(GROUP, "dataset", NamedDataset, REGISTRY, _check)
"""Every data set that has a name, including those of other packages."""
