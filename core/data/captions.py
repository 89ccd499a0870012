"""What each picture is said to show."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.config.prompts import FILEWORDS, fill, tidy
from core.data.scan import CAPTION_SUFFIX, Picture
from core.files import explain, write_atomic
from core.reasons import of_system
from core.seeds import derive
from core.texts import UserError, path_in_words, say, size_in_words

MOST_BYTES = 65_536
"""A caption has some 75 words; a `.txt` longer than this is something else."""

VARIANTS = 16
"""Orders of the tags of each caption that are kept once the text encoder has stopped."""


@dataclass(frozen=True)
class Wording:
    """How one slot says the caption of an item (its number): as written, its tags in the order that the seed `tags`
    gives, or `dropped`: not at all.
    """

    item: int
    tags: int | None = None
    dropped: bool = False


def shuffle_tags(text: str, seed: int) -> str:
    """The tags of a caption (what its commas part) in an order of the seed. The first, where the identifier usually
    stands, stays in front.
    """
    first, *tags = [tag.strip() for tag in text.split(",")]
    order = sorted(range(len(tags)), key=lambda place: derive(seed, "tags", 0, place))
    return ", ".join([first, *(tags[place] for place in order)]) if tags else text


def tag_variants(text: str, seed: int) -> Iterator[str]:
    """`VARIANTS` orders of the tags of a caption, some of them alike where there are few tags."""
    return (shuffle_tags(text, derive(seed, "tag-variants", 0, number)) for number in range(VARIANTS))


def caption(template: str, picture: Picture, identifier: str, class_noun: str) -> str:
    """`template` with `{identifier}` and `{class}` filled in, and `[filewords]` with the picture's own words.

    These words are taken as they stand: braces in them mean nothing. `UserError` if they are not UTF-8.
    """
    words = file_words(picture) if FILEWORDS in template else ""
    return with_words(template, words, identifier, class_noun)


def with_words(template: str, words: str, identifier: str, class_noun: str) -> str:
    """The same where the picture's own words are known."""
    filled = fill(template, identifier, class_noun)
    return tidy(filled.replace(FILEWORDS, words)) if FILEWORDS in filled else filled


def file_words(picture: Picture) -> str:
    """The picture's `.txt`, else its file name without suffix, leading digits and underscores (perhaps nothing)."""
    if picture.caption_file is not None:
        return read_caption(picture.caption_file)
    name = _utf8(os.fsencode(picture.path.stem), picture.path, say(
        "caption.rename", "Rename it, or write its caption into a .txt file."))  # fmt: skip
    return tidy(re.sub(r"^[\d\s_-]+", "", name).replace("_", " "))


def read_caption(path: Path) -> str:
    """The text of a caption file in one line. `UserError` if it cannot be read, is too long or not UTF-8."""
    return tidy(read_text(path, "caption", say("caption.title", "The caption")))


def write_caption(picture: Path, text: str) -> Path:
    """Put `text` into the `.txt` beside `picture`, and nowhere else; the path of that file. The old text is whole
    until the new one is. Raises `UserError`.
    """
    path = picture.with_suffix(CAPTION_SUFFIX)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UserError(
            "caption.not-ours", "{path} is not a regular file beside the picture.", mend="Change it by hand.",
            path=path_in_words(path),
        )  # fmt: skip
    content = tidy(text).encode("utf-8", "replace")
    if len(content) > MOST_BYTES:
        raise UserError("caption.long-text", "The caption is longer than {most}.", mend="Shorten it.",
                        most=size_in_words(MOST_BYTES))  # fmt: skip
    try:
        write_atomic(path, content + b"\n")
    except OSError as error:
        raise explain(error, path) from error
    return path


def read_text(path: Path, kind: str, title: str) -> str:
    """A short text file of a person's. `UserError` (`<kind>.unreadable`, …) calls it `title`.

    `kind` is `caption` or `template`.
    """
    try:
        if not path.is_file():
            raise UserError(
                f"{kind}.not-a-file", "{title} {path} is not a regular file.", mend="Check the path, or leave it out.",
                title=title, path=path_in_words(path),
            )  # fmt: skip
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UserError(
            f"{kind}.unreadable", "{title} {path} cannot be read: {reason}.", mend="Check its permissions.",
            title=title, path=path_in_words(path), reason=of_system(error),
        ) from error  # fmt: skip
    if len(content) > MOST_BYTES:
        raise UserError(
            f"{kind}.too-long", "{title} {path} is longer than {most}.", mend="Shorten it.",
            title=title, path=path_in_words(path), most=size_in_words(MOST_BYTES),
        )  # fmt: skip
    return _utf8(content, path, say("caption.save", "Save it as UTF-8.")).removeprefix("\ufeff")


def _utf8(content: bytes, path: Path, mend: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            "caption.encoding", "{what} is not in UTF-8 (its byte {place} is 0x{byte:02x}).", mend=mend,
            what=path_in_words(path), place=error.start + 1, byte=content[error.start],
        ) from error  # fmt: skip
