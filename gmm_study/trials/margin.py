"""Which differences matter if nothing else is said."""

MARGIN = 0.2
"""In nats: a study's `report.margin` and that of a diagnosis."""
