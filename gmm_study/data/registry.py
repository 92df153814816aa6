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
    sorted_sha256: str | None = None
    """The checksum of the published contents with sorted test rows (`Dataset.with_sorted_test`), if
    known: a copy's test rows may come in any order. If this or `sha256` is known, other contents
    are refused."""

    @property
    def has_known_contents(self) -> bool:
        """Whether a checksum of the contents is known."""
        return self.sha256 is not None or self.sorted_sha256 is not None


def _made_file(file: str, folder: str = _MADE, git_blob: str | None = None) -> RemoteFile:
    keys = {split: f"{split}_data" for split in SPLITS}
    return RemoteFile(f"made/{file}", f"{folder}/{file}", keys, git_blob)


def _uci(
    name: str,
    dims: int,
    sizes: tuple[int, int, int],
    file: RemoteFile,
    sha256: str | None = None,
    sorted_sha256: str | None = None,
) -> NamedDataset:
    source = "UCI, in Larochelle and Murray's splits (mgermain/MADE)"
    return NamedDataset(
        name, dims, sizes, source, files=(file,), sha256=sha256, sorted_sha256=sorted_sha256
    )


def _debd(
    name: str,
    dims: int,
    sizes: tuple[int, int, int],
    sha256: str | None = None,
    sorted_sha256: str | None = None,
) -> NamedDataset:
    places = {split: f"{name}/{name}.{split}.data" for split in SPLITS}
    files = tuple(
        RemoteFile(f"debd/{place}", f"{_DEBD}/{place}", {split: split})
        for split, place in places.items()
    )
    source = "density estimation benchmark (arranger1044/DEBD)"
    return NamedDataset(
        f"debd/{name}", dims, sizes, source, files=files, sha256=sha256, sorted_sha256=sorted_sha256
    )


# The checksums come from published files, with three exceptions. `ocr_letters` was rebuilt from the
# raw letters; an archive of these arrays with the date 2015-05-14 21:57:34 has the published git
# blob, so they are exact. `adult` and `connect4` were rebuilt without the order of their test rows:
# train and valid are those of DEBD, test is the rest of LIBSVM's a9a and of UCI's positions. So
# only their `sorted_sha256` is known. A published file is recognised by its git blob alone.
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
        sorted_sha256="1f8a45310ad6ccd775838fc48cc47487f86c585e29f7d28a27d579cc6c386728",
        image_shape=(28, 28),
    ),
    _uci(
        "adult",
        123,
        (5_000, 1_414, 26_147),
        _made_file("adult.npz", git_blob="cf506ae6b4a4b818a92a6c951d334e61eeb27d81"),
        sorted_sha256="aa033d9a5fd6c535585308200beffb53c78eb828b66c8c8b7cbe69bbcb6835ae",
    ),
    _uci(
        "connect4",
        126,
        (16_000, 4_000, 47_557),
        _made_file("connect4.npz", git_blob="4685318ab6aabc98eec09b93ad4fa5debc24ec93"),
        sorted_sha256="a9631a4909ad1feb3e57d84ccaefdbbb02e4f5afff7f425ad02b49967bc997b5",
    ),
    _uci(
        "dna",
        180,
        (1_400, 600, 1_186),
        _made_file("dna.npz", git_blob="6375b479f1a0c6cdc4ff836d7e53c0814e10873f"),
        sha256="86e5949f09c31990113e855b969d765e05205cc5aa9c2944df7e27af1725c883",
        sorted_sha256="950e8fd1be78a2a10953894e443d5f8a72bf9def1cbd0a52e0be5f4e62483cc5",
    ),
    _uci(
        "mushrooms",
        112,
        (2_000, 500, 5_624),
        _made_file("mushrooms.npz", git_blob="a0349099324fa4b579228d31f8edb706c9d238dd"),
        sha256="ccef679174be6fbe55cef8e843af4e346169e8288f56b90a981a2ce8bd58d446",
        sorted_sha256="d76e795b3c8e9a650b89495c723017804d67805458257b0d08e8de744b380516",
    ),
    _uci(
        "nips",
        500,
        (400, 100, 1_240),
        _made_file("nips.npz", git_blob="bdc1319ac88d344ea518c6a5814996989ebdb7d8"),
        sha256="cc1d31e17a149896f68fc9c7b6f72639bfaab83de722f3df3b603166cfbfef84",
        sorted_sha256="7d644f57baa2b32281ba1fcd29655807c845d96bdb0fca4d7efd8ea7a08a0484",
    ),
    _uci(
        "ocr_letters",
        128,
        (32_152, 10_000, 10_000),
        _made_file("ocr_letters.npz", git_blob="b472383a2ddeddbc87b4e3019a3bd47736bddb37"),
        sha256="199eb5e2a9cf9b9418070bf484b169004b3e599f895c05c0368de3d667980e2e",
        sorted_sha256="13a30cff069adcfca457ea9610c6181319b8fd0d6eb538fcd52b112f28542dd3",
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
        sorted_sha256="f037b229b5386eafc7cf0faf9d1490ec84b48f46992f07b1b57a19d753528ef6",
        image_shape=(28, 28),
        column_major=True,
    ),
    _debd(
        "nltcs",
        16,
        (16_181, 2_157, 3_236),
        sha256="75353d827e8d6098abc3d38fb2b1493184d2539605b9b2f801b0c197f1b4b665",
        sorted_sha256="f34d67162e4e0af09ccb932162b9d9d4ab008abd18e949c2c788948feb004a16",
    ),
    _debd("msnbc", 17, (291_326, 38_843, 58_265)),
    _debd("kdd", 64, (180_092, 19_907, 34_955)),
    _debd(
        "plants",
        69,
        (17_412, 2_321, 3_482),
        sha256="13fcba8c78ca0d46be648ad50a2a9d9ad59d91ddd99a038ddeca8ccafc54ad87",
        sorted_sha256="a937979d2e90daef30559ab0307ead61cf1133340941227f975782cffb41ebd9",
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
        sorted_sha256="320bc6deee25df9125b83f9ad1e177a02c9f8ff4697c181fa87f61a704395205",
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
        sorted_sha256="23bd3d798f945b7c6bec57ce736186689823483c98b4b84bcf439ced2c2b98ad",
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
