"""Addresses as they may be shown: without the passwords and keys that are written into them."""

import re

HIDDEN = "***"
_USER = re.compile(r"(?<=://)(?!/)[^\s'\"<>]*:[^\s'\"<>]*@|(?<=://)[^\s'\"<>/]*@")
"""What stands before the host. With a colon it may have a slash, as keys that nobody encoded do."""
_SECRET = r"[\w.-]*(?:key|secret|token|passw|pwd|credential|sig|auth)[\w.-]*"
_PARAMETER = re.compile(rf"(?<=[?&;])({_SECRET})=[^\s&;#'\"<>]*", re.IGNORECASE)


def redact(text: str) -> str:
    """A text in which every address has lost its user, its password and its secret parameters."""
    return _PARAMETER.sub(rf"\1={HIDDEN}", _USER.sub(f"{HIDDEN}@", text))
