"""Published results, from one file; each says where it stands and whether that was checked."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import isfinite
from pathlib import Path

from analysis.labels import LOG_P, LOG_P_STAR
from gmm_study.errors import InputError, did_you_mean

FILE = Path(__file__).with_name("published.csv")
COLUMNS = ("method", "metric", "dataset", "nll", "checked", "source", "layers")
METRICS = {LOG_P: "log_p", LOG_P_STAR: "log_p_star"}
"""Our figures, and the file's names for them."""
_CHECKED = {"yes": True, "no": False}


@dataclass(frozen=True)
class PublishedFigure:
    """One published test figure; `nll` is its negative, in nats."""

    method: str
    metric: str
    dataset: str
    nll: float
    checked: bool
    source: str
    layers: tuple[int, ...] = ()

    @property
    def note(self) -> str:
        """Its source, its layers where they are known, and whether it was checked."""
        layers = f", layers {','.join(map(str, self.layers))}" if self.layers else ""
        checked = "" if self.checked else "; not checked against the publication"
        return f"published: {self.source}{layers}{checked}"


def published(dataset: str, method: str, metric: str = LOG_P) -> PublishedFigure | None:
    """The published figure of a method on a dataset, None where there is none."""
    return _by_key().get((method, METRICS.get(metric, ""), dataset))


def load_published(path: Path = FILE) -> tuple[PublishedFigure, ...]:
    """All figures of a file; `InputError` names the line and the field that cannot be used."""
    figures = tuple(_read(path))
    keys = [(figure.method, figure.metric, figure.dataset) for figure in figures]
    for number, key in enumerate(keys):
        if key in keys[:number]:
            raise InputError(f"{path.name}: line {number + 2}: {' '.join(key)} is there twice")
    return figures


@cache
def _by_key() -> dict[tuple[str, str, str], PublishedFigure]:
    return {(figure.method, figure.metric, figure.dataset): figure for figure in load_published()}


def _read(path: Path) -> Iterator[PublishedFigure]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise InputError(f"{path.name}: line 1: the columns must be {','.join(COLUMNS)}")
        for row in reader:
            try:
                yield _figure(row)
            except InputError as error:
                raise InputError(f"{path.name}: line {reader.line_num}: {error}") from error


def _figure(row: Mapping[str, str]) -> PublishedFigure:
    for name in COLUMNS[:-1]:
        if not row[name]:
            raise InputError(f"{name}: is missing")
    if row["metric"] not in METRICS.values():
        hint = did_you_mean(row["metric"], METRICS.values())
        raise InputError(f"metric: '{row['metric']}' is unknown; {hint}")
    if row["checked"] not in _CHECKED:
        raise InputError(f"checked: '{row['checked']}' must be yes or no")
    try:
        nll = float(row["nll"])
        layers = tuple(int(size) for size in (row["layers"] or "").split(",") if size)
    except ValueError:
        raise InputError(
            f"nll, layers: '{row['nll']}', '{row['layers']}' must be numbers"
        ) from None
    if not (isfinite(nll) and nll > 0):
        raise InputError(f"nll: {row['nll']} must be above 0, in nats")
    return PublishedFigure(
        row["method"],
        row["metric"],
        row["dataset"],
        nll,
        _CHECKED[row["checked"]],
        row["source"],
        layers,
    )
