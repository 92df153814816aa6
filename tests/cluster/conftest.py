"""Faults of clusters are rows of the table of `make test-faults`, too."""

from tests.faults.conftest import fault, times

__all__ = ["fault", "times"]
