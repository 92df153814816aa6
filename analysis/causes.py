"""What a person has written about a shipped study: why its figures differ from published ones."""

from pathlib import Path

import yaml

FILE = Path(__file__).with_name("causes.yaml")


def causes_of(study: str) -> tuple[str, ...]:
    """The sentences on a shipped study's records."""
    written = yaml.safe_load(FILE.read_text(encoding="utf-8")) or {}
    return tuple(written.get(study, ()))
