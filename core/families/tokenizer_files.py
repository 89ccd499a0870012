"""The tokenizer of a diffusers folder: its files, whether they can be read, and what they hold.

A vocabulary of 49,408 words takes a quarter of a second to parse, so files with the same bytes are parsed once a
process, wherever they lie: a source's tokenizer is usually the one that every other has.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from core.families.stored import TokenizerFiles, first_bytes, read_json
from core.files import hash_file

TOKENIZER_FILES = (
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
    "tokenizer.json",
)  # fmt: skip

_ENOUGH = (("tokenizer.json",), ("vocab.json", "merges.txt"))
"""What one needs: either of these."""


def tokenizer_files(folder: Path) -> TokenizerFiles | None:
    """What a folder has of a tokenizer, or None where it lacks what one needs; `UserError` for a damaged file."""
    if not _is_whole(folder):
        return None
    there = [folder / name for name in TOKENIZER_FILES if (folder / name).exists()]
    found = TokenizerFiles(folder, " ".join(f"{file.name}:{_digest(file)}" for file in there))
    _refuse_unreadable(found)
    return found


def _is_whole(folder: Path) -> bool:
    return any(all((folder / name).exists() for name in names) for names in _ENOUGH)


def _digest(file: Path) -> str:
    """Its sha256; `UserError` where it is no regular file."""
    first_bytes(file)
    return hash_file(file)


@lru_cache(maxsize=16)
def _refuse_unreadable(files: TokenizerFiles) -> None:
    for name in TOKENIZER_FILES:
        if name.endswith(".json") and (files.folder / name).exists():
            read_json(files.folder / name)
