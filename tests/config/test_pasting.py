from __future__ import annotations

import pytest

from core.config.pasting import bare_path, pasted_path


@pytest.mark.parametrize(
    ("pasted", "path"),
    [
        ("/a/b c", "/a/b c"),
        ("'/a/b c'", "/a/b c"),
        ('"/a/b c" ', "/a/b c"),
        ("file:///a/b%20c/%C3%A4", "/a/b c/ä"),
        ("file://localhost/a", "/a"),
        ("'file:///a/b%20c'", "/a/b c"),
        ("/a/b\\ c\\(1\\)", "/a/b c(1)"),
        ("/a/50%20", "/a/50%20"),
        ("~/x", "~/x"),
        ("\n  /a/b\n/c\n", "/a/b"),
        ("", ""),
        ("file://elsewhere/a", "file://elsewhere/a"),
    ],
)
def test_what_surrounds_a_pasted_path_is_taken_off(pasted: str, path: str) -> None:
    assert pasted_path(pasted) == path


@pytest.mark.parametrize("typed", ["/a/b ", "'", "file:", "file://", "/a\\ b", " /a"])
def test_what_is_only_being_typed_stays_as_it_is(typed: str) -> None:
    assert bare_path(typed) == typed
