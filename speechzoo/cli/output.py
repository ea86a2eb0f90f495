"""What commands print on terminals of any encoding."""

import codecs
import re
import sys

from speechzoo.names import shown

_HANDLER = "speechzoo.escape"


def escape_what_can_not_be_printed():
    """From here on, characters that standard output or error has no code for are written as JSON escapes them.

    So neither a line for people nor a line of JSON breaks off in the middle of a job.
    """
    codecs.register_error(_HANDLER, _escape)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_HANDLER)


def one_line(text: str) -> str:
    """A message as one line, on which everything can be seen."""
    return shown(re.sub(r"[ \t\r\n]+", " ", text.strip(" \t\r\n")))


def _escape(error):
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start:error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2)), error.end
