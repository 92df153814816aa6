"""Addresses without the passwords and keys in them, as they may be shown.

Errors, tracebacks, records, reports and tags pass through `redact` before they leave the process.
Addresses reach other processes only through pipes and the environment, never as arguments.
"""

import re

HIDDEN = "***"
_USER = re.compile(r"(?<=://)(?!/)[^\r\n'\"<>]*:[^\r\n'\"<>]*@|(?<=://)[^\s'\"<>/]*@")
"""What stands before the host. With a colon it may have slashes and spaces, as keys that nobody
encoded do; so rather too much is hidden of a line than too little."""
_SECRET = r"[\w.-]*(?:key|secret|token|passw|pwd|credential|sig|auth)[\w.-]*"
_PARAMETER = re.compile(rf"(?<=[?&;])({_SECRET})=[^\s&;#'\"<>]*", re.IGNORECASE)


def redact(text: str) -> str:
    """A text in which every address has lost its user, its password and its secret parameters."""
    return _PARAMETER.sub(rf"\1={HIDDEN}", _USER.sub(f"{HIDDEN}@", text))
