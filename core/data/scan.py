"""Which pictures a folder holds. Free of torch and numpy; Pillow is imported when the first file is looked at."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.nearby import nearest
from core.reasons import of_system
from core.texts import Message, UserError, message, path_in_words

NOT_PICTURES = frozenset({
    ".avi", ".caption", ".csv", ".db", ".doc", ".docx", ".html", ".ini", ".json", ".jsonl", ".log", ".m4v", ".md",
    ".mkv", ".mov", ".mp3", ".mp4", ".npz", ".pdf", ".py", ".safetensors", ".toml", ".tsv", ".txt", ".wav", ".webm",
    ".xml", ".yaml", ".yml", ".zip",
})  # fmt: skip
"""What people keep beside their pictures. Everything else is looked at, and refused by name if it is no picture; only
a file without any suffix (`README`, `LICENSE`) is passed over where its content is none.
"""
CAPTION_SUFFIX = ".txt"
MASK_ENDING = "-mask.png"
MOST_FILES = 50_000
"""More than this is a home folder or a whole disk chosen by mistake."""


@dataclass(frozen=True)
class Picture:
    """A picture that can be read. `width` and `height` are in px, after EXIF rotation."""

    path: Path
    width: int
    height: int
    caption_file: Path | None = None
    mask_file: Path | None = None
    """Black where the picture does not count, white where it does: `<picture>-mask.png` beside it."""
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True)
class Refused:
    path: Path
    reason: Message


@dataclass(frozen=True)
class Scan:
    """What was found in `directory`, each in the order of its name's bytes."""

    directory: Path
    pictures: tuple[Picture, ...]
    refused: tuple[Refused, ...]
    alike: tuple[tuple[Path, Path], ...] = ()
    """Pairs that show nearly the same, where every picture was decoded."""


def scan(directory: Path, *, decode: bool) -> Scan:
    """Look at every picture in `directory` and its subfolders.

    With `decode=False` only headers are read (for counting while somebody types); with `decode=True` every picture is
    decoded whole, which alone finds damage behind the header, and what is nearly the same. Hidden files, captions,
    masks (`…-mask.png`) and the drawing that a picture beside it was made from (`x.svg` beside `x.png`) are passed
    over. Raises `UserError` if
    `directory` itself is missing, not a directory or unreadable, or holds more than `MOST_FILES` files.
    """
    from core.data.alike import Likeness, alike
    from core.data.pictures import decoded, measure

    _check_directory(directory)
    pictures: list[Picture] = []
    refused: list[Refused] = []
    likenesses: list[tuple[Path, Likeness]] = []
    for found in sorted(_files(directory), key=lambda found: os.fsencode(found.path)):
        if isinstance(found, Refused):
            refused.append(found)
            continue
        try:
            if decode:
                width, height, notes, like = decoded(found.path)
                likenesses.append((found.path, like))
            else:
                width, height, notes = measure(found.path, decode=False)
        except UserError as error:
            if found.path.suffix or error.code != "picture.format":
                refused.append(Refused(found.path, error.message))
            continue
        pictures.append(Picture(found.path, width, height, found.caption_file, found.mask_file, notes))
    return Scan(directory, tuple(pictures), tuple(refused), alike(likenesses))


@dataclass(frozen=True)
class _Candidate:
    path: Path
    caption_file: Path | None
    mask_file: Path | None


def _files(directory: Path) -> Iterator[_Candidate | Refused]:
    """Every file that may be a picture. Symbolic links are followed; no folder is entered twice, so loops end."""
    seen: set[tuple[int, int]] = set()
    waiting = [directory]
    count = 0
    while waiting:
        folder = waiting.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                inside = sorted(((entry.name, _is_folder(entry)) for entry in entries), key=_by_name)
        except OSError as error:
            yield Refused(folder, _unreadable(folder, error))
            continue
        count += len(inside)
        if count > MOST_FILES:
            raise UserError(
                "pictures.too-many-files", "{path} and its subfolders hold more than {most:,} files.",
                mend="Choose the folder of the pictures themselves.", path=path_in_words(directory), most=MOST_FILES,
            )  # fmt: skip
        names = {name for name, _ in inside}
        folders: list[Path] = []
        for name, is_folder in inside:
            path = folder / name
            if name.startswith("."):
                continue
            if is_folder:
                folders.append(path)
            elif not (path.suffix.lower() in NOT_PICTURES or name.lower().endswith(MASK_ENDING)
                      or (path.suffix == ".svg" and f"{path.stem}.png" in names)):  # fmt: skip
                caption, mask = path.stem + CAPTION_SUFFIX, path.stem + MASK_ENDING
                yield _Candidate(path, folder / caption if caption in names else None,
                                 folder / mask if mask in names else None)  # fmt: skip
        waiting.extend(reversed(folders))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, say: looked at as a file, it is refused with its reason
        return False


def _by_name(named: tuple[str, bool]) -> bytes:
    return os.fsencode(named[0])


def _check_directory(directory: Path) -> None:
    try:
        status = directory.stat()
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(directory):
                return
    except FileNotFoundError as error:
        near = nearest(directory)
        if near is not None:
            raise UserError(
                "pictures.missing", "The folder {path} does not exist. Did you mean {near}?",
                path=path_in_words(directory), near=near,
            ) from error  # fmt: skip
        raise UserError(
            "pictures.missing", "The folder {path} does not exist.", mend="Check how it is spelled.",
            path=path_in_words(directory),
        ) from error  # fmt: skip
    except (OSError, ValueError) as error:
        raise UserError(
            "pictures.unreadable", "The folder {path} cannot be read: {reason}.", mend="Check its permissions.",
            path=path_in_words(directory), reason=of_system(error),
        ) from error  # fmt: skip
    raise UserError(
        "pictures.not-a-folder", "{path} is not a folder.", mend="Choose the folder that holds the pictures.",
        path=path_in_words(directory),
    )  # fmt: skip


def _unreadable(path: Path, error: OSError) -> Message:
    return message(
        "picture.unreadable", "{path} cannot be read: {reason}.", mend="Check its permissions and the disk.",
        path=path_in_words(path), reason=of_system(error),
    )  # fmt: skip
