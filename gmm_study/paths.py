"""Paths that a user writes, with `~` for a home folder."""

from pathlib import Path

from gmm_study.errors import InputError


def expanded(text: str, field: str) -> Path:
    """The path with `~` or `~NAME` replaced; error lines call it `field`.

    Raises InputError if that home folder is not known, and for a text that can be no path.
    """
    if "\0" in text:
        raise InputError(f"{field} {text!r}: a path cannot have a zero byte")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise InputError(
            f"{field} '{text}': the home folder of '{Path(text).parts[0]}' is not known; give the "
            "full path"
        ) from None
