"""Lists of a study's variants as a tag of MLflow has them, and the search for those with one.

A variant is called by letters, digits and `_=.,+-[]{}`. `_` stands for any character in a search of
MLflow's, so it is a blank in a tag; as `|` begins and ends each name, no search finds a longer one.
"""

from collections.abc import Collection

BETWEEN = "|"


def as_tag(variants: Collection[str]) -> str:
    """`|declared|small,max epochs=5|`, empty where there is none."""
    inside = BETWEEN.join(map(_written, sorted(variants)))
    return f"{BETWEEN}{inside}{BETWEEN}" if inside else ""


def from_tag(text: str | None) -> list[str]:
    """The variants in a tag; also in one from before names had ends, as `declared, small`."""
    text = text or ""
    if not text.startswith(BETWEEN):
        return [name for name in text.split(", ") if name]
    return [name.replace(" ", "_") for name in text.strip(BETWEEN).split(BETWEEN)]


def search_for(tag: str, variant: str) -> str:
    """What to search MLflow for to find the runs whose tag lists a variant, and no others."""
    return f"tags.{tag} LIKE '%{as_tag([variant])}%'"


def _written(variant: str) -> str:
    return variant.replace("_", " ")
