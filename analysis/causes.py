"""Where our figures may differ from the published ones, and why: what a person has written."""

from pathlib import Path

import yaml

FILE = Path(__file__).with_name("causes.yaml")


def causes_of(study: str) -> tuple[str, ...]:
    """The sentences on a shipped study's records."""
    written = yaml.safe_load(FILE.read_text(encoding="utf-8")) or {}
    return tuple(written.get(study, ()))
