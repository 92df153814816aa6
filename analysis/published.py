"""Published test figures, from one file that also says whether a person has checked each one."""

import csv
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, FiniteFloat, ValidationError

from analysis.labels import LOG_P, LOG_P_STAR
from gmm_study.errors import InputError
from gmm_study.study.explain import explain
from gmm_study.study.section import Section

FILE = Path(__file__).with_name("published.csv")
METRICS = {LOG_P: "log_p", LOG_P_STAR: "log_p_star"}
"""Our metrics by the names that the file has for them."""


def _sizes(layers: Any) -> Any:
    return layers.split(",") if isinstance(layers, str) else layers


class PublishedFigure(Section):
    """One published test figure; `nll` is a negative log-likelihood in nats."""

    method: str
    metric: Literal["log_p", "log_p_star"]
    dataset: str
    nll: Annotated[FiniteFloat, Field(gt=0)]
    checked: bool
    source: str
    layers: Annotated[tuple[int, ...], BeforeValidator(_sizes)] = ()

    @property
    def note(self) -> str:
        """Its source, its layers if they are known, and whether it was checked."""
        layers = f", layers {','.join(map(str, self.layers))}" if self.layers else ""
        checked = "" if self.checked else "; not checked against the publication"
        return f"published: {self.source}{layers}{checked}"


def published(dataset: str, method: str, metric: str = LOG_P) -> PublishedFigure | None:
    """The published figure of a method on a data set, or None."""
    return _figures().get((method, METRICS.get(metric, ""), dataset))


def load_published(path: Path = FILE) -> dict[tuple[str, str, str], PublishedFigure]:
    """The figures of a file by method, metric and data set.

    Raises `InputError`, which names the line and the field, if one cannot be used.
    """
    figures: dict[tuple[str, str, str], PublishedFigure] = {}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != list(PublishedFigure.model_fields):
            columns = ",".join(PublishedFigure.model_fields)
            raise InputError(f"{path.name}: line 1: the columns must be {columns}")
        for row in reader:
            place = f"{path.name}: line {reader.line_num}"
            try:
                own = PublishedFigure.model_validate({k: text for k, text in row.items() if text})
            except ValidationError as error:
                raise InputError(f"{place}: {explain(error)}") from error
            key = (own.method, own.metric, own.dataset)
            if key in figures:
                raise InputError(f"{place}: there are two figures of {' '.join(key)}")
            figures[key] = own
    return figures


_figures = cache(load_published)
