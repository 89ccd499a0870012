"""Paths as they are pasted: what shells, file managers and browsers put around them."""

from __future__ import annotations

import re
from urllib.parse import unquote

QUOTES = "'\""
FILE_SCHEME = re.compile(r"file://(localhost)?(?=/)", re.IGNORECASE)
ESCAPED = re.compile(r"\\([ '\"\\()&;!$`*?\[\]{}<>|#~])")


def bare_path(text: str) -> str:
    """A path without the quotes around it, and the path of a `file://` address. Anything else stays as it is."""
    bare = text.strip()
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in QUOTES:
        return bare_path(bare[1:-1])
    if FILE_SCHEME.match(bare):
        return unquote(FILE_SCHEME.sub("", bare, count=1))
    return text


def pasted_path(text: str) -> str:
    """The same of what was pasted, whose first line counts: `/a/my\\ dog` is how a terminal writes a file that is
    dropped on it.
    """
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    bare = bare_path(line)
    return ESCAPED.sub(r"\1", line) if bare == line else bare
