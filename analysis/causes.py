"""What a person has written about a shipped study: why its figures differ from published ones."""

from pathlib import Path

from gmm_study.study.read import read_document

FILE = Path(__file__).with_name("causes.yaml")


def causes_of(study: str) -> list[str]:
    """The sentences on a shipped study's records."""
    sentences: list[str] = read_document(FILE).get(study, [])
    return sentences
