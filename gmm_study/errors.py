"""The error that invalid input of a user raises."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Invalid input: one line that names the field, the value and what is allowed.

    The command line prints only this line and exits with status 2.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question with the known name nearest to `name`; the list of all names if none is near."""
    choices = sorted(known)
    near = get_close_matches(name, choices, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(choices)}"
