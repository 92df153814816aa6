"""A list of a study's variants as one tag in MLflow, and the search for runs with a variant.

The name of a variant consists of letters, digits and `_=.,+-[]{}`. In a search of MLflow, `_`
matches any character, so a tag has a blank in its place. Each name is enclosed in `|`, so that a
search for it does not find longer names.
"""

from collections.abc import Collection

BETWEEN = "|"


def as_tag(variants: Collection[str]) -> str:
    """The tag, as `|declared|small,max epochs=5|`; empty if there are no variants."""
    inside = BETWEEN.join(map(_written, sorted(variants)))
    return f"{BETWEEN}{inside}{BETWEEN}" if inside else ""


def from_tag(text: str | None) -> list[str]:
    """The variants in a tag; older tags without `|`, as `declared, small`, are read too."""
    text = text or ""
    if not text.startswith(BETWEEN):
        return [name for name in text.split(", ") if name]
    return [name.replace(" ", "_") for name in text.strip(BETWEEN).split(BETWEEN)]


def search_for(tag: str, variant: str) -> str:
    """The MLflow search that finds exactly the runs whose tag lists a variant."""
    return f"tags.{tag} LIKE '%{as_tag([variant])}%'"


def _written(variant: str) -> str:
    return variant.replace("_", " ")
