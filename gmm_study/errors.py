"""The one error that a user's input raises."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Input that cannot be used: one line that names the field, the value and what would be right.

    The command line prints the line alone and exits with status 2.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question naming the known name nearest to `name`, or the list of all when none is near."""
    choices = sorted(known)
    near = get_close_matches(name, choices, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(choices)}"
