"""Removes passwords and keys from addresses before they are shown.

Errors, tracebacks, records, reports and tags pass through `redact` before they leave the process.
Addresses reach other processes only through the environment, never as arguments.
"""

import re

HIDDEN = "***"
_USER = re.compile(
    r"(?<=://)(?!/)[^\r\n'\"<>]*:[^\r\n'\"<>]*@|(?<=://)(?<!abfs://)(?<!abfss://)[^\s'\"<>/]*@"
)
"""The part before the host. With a colon it may contain slashes and spaces, like a key that was not
encoded; it is better to hide too much of a line than too little. In an address of Azure's the name
before the host is that of a container."""
_SECRET = r"[\w.-]*(?:key|secret|token|passw|pwd|credential|sig|auth)[\w.-]*"
_PARAMETER = re.compile(rf"(?<=[?&;])({_SECRET})=[^\s&;#'\"<>]*", re.IGNORECASE)


def redact(text: str) -> str:
    """The text without the user, password and secret parameters of every address in it."""
    return _PARAMETER.sub(rf"\1={HIDDEN}", _USER.sub(f"{HIDDEN}@", text))
