"""Short explanations of the errors of libraries."""

from textwrap import shorten

from gmm_study.addresses import redact

CAUSES = {
    "Connection refused": "its server cannot be reached",
    "Failed to resolve": "the name of its server is not known",
    "Name or service not known": "the name of its server is not known",
    "No route to host": "its server cannot be reached",
    "Network is unreachable": "its server cannot be reached",
    "timeout expired": "its server takes too long to answer",
    "timed out": "its server takes too long to answer",
    "Connection aborted": "its server did not complete a response",
    "Connection broken": "its server did not complete a response",
    "Connection reset": "its server did not complete a response",
    "Response ended prematurely": "its server did not complete a response",
    "IncompleteRead": "its server did not complete a response",
    "Could not connect to the endpoint URL": "the bucket of its artifacts cannot be reached",
    "in a valid JSON format": "its server did not complete a response",
    "The file lock": "another process has been writing to it for a long time",
    "database is locked": "another process keeps its database locked",
}
"""The explanation for each text that may occur in a library's long error message."""
DATABASE_SAYS = "FATAL: "
"""After this, PostgreSQL says why it cannot be used."""
LENGTH = 200
"""The most characters of an error that is not explained; it is cut between two words."""


def cause_of(text: str) -> str:
    """A short explanation of an error's text, without secrets."""
    for sign, words in CAUSES.items():
        if sign in text:
            return words
    line = "".join(redact(text).splitlines()[:1]).rpartition(DATABASE_SAYS)[2]
    return shorten(line, LENGTH, placeholder=" ...")


def last_line(error: BaseException) -> str:
    """The last line of an error's text, or else its type."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
