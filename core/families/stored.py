"""Which tensors a weight file holds: name, shape and place, without torch and without reading the tensors."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from core.families import pickled
from core.reasons import not_a_file, of_json, of_system
from core.safetensors_header import read_header
from core.texts import UserError, path_in_words, say

LARGEST_JSON = 16_000_000
Kind = Literal["safetensors", "ckpt"]
"""How a weight file is written; told from its first bytes, not its name."""


@dataclass(frozen=True)
class StoredTensor:
    """`name` as the file at `path` has it, `shape` as it is meant."""

    path: Path
    name: str
    shape: tuple[int, ...]
    third: int | None = None
    """Of the rows that stand in the file under this name, only this third (0, 1, 2) is meant."""
    transposed: bool = False
    """The file has it the other way round."""

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    def part(self, third: int | None, transposed: bool) -> StoredTensor:
        """A part of this whole tensor of a file; its shape is the part's."""
        shape = self.shape
        if third is not None and shape:
            shape = (shape[0] // 3, *shape[1:])
        return replace(self, shape=shape[::-1] if transposed else shape, third=third, transposed=transposed)


@dataclass(frozen=True)
class WeightFile:
    path: Path
    kind: Kind
    tensors: Mapping[str, StoredTensor]
    metadata: Mapping[str, str]
    """Of a safetensors file; a .ckpt has none."""


def read_weight_file(path: Path) -> WeightFile:
    """Look into a `.safetensors` or `.ckpt`/`.bin` file. `UserError` says what it is instead of weights."""
    kind = kind_of(path)
    if kind == "ckpt":
        found = {name: StoredTensor(path, name, tensor.shape) for name, tensor in pickled.read_tensors(path).items()}
        return WeightFile(path, kind, found, {})
    header = read_header(path)
    found = {entry.name: StoredTensor(path, entry.name, entry.shape) for entry in header.tensors.values()}
    return WeightFile(path, kind, found, header.metadata)


def kind_of(path: Path) -> Kind:
    """Tell the format by the first bytes; refuse what is no weight file at all."""
    beginning = first_bytes(path)
    refuse_placeholder(path, beginning)
    if beginning.startswith(pickled.ZIP_MAGIC):
        return "ckpt"
    if beginning[:1] == b"\x80" and beginning[1:2] <= b"\x05" and beginning[8:9] != b"{":
        pickled.refuse_legacy(path)
    return "safetensors"


def read_json(path: Path) -> dict[str, Any]:
    """A config file of a source. `UserError` where it is missing, no JSON object, or wants code of its own run."""
    beginning = first_bytes(path)
    refuse_placeholder(path, beginning)
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise ValueError(say("source.large-config", "far too large for a config"))
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(say("source.no-object", "not a JSON object"))
    except (ValueError, RecursionError) as error:
        raise UserError(
            "source.config-unreadable", "{path} is not a readable config: {reason}.",
            mend="Copy or download the model again.", path=path_in_words(path), reason=of_json(error),
        ) from error  # fmt: skip
    if "auto_map" in content:
        raise UserError(
            "source.runs-code", "{path} asks to run program code of its own (auto_map). Nothing was run.",
            mend="Take a model that needs no code of its own.", path=path_in_words(path),
        )  # fmt: skip
    return content


def first_bytes(path: Path, count: int = 512) -> bytes:
    """The beginning of a regular file; `UserError` where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _unreadable(path, of_system(error)) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _unreadable(path, not_a_file())
        return os.pread(descriptor, count, 0)
    except OSError as error:
        raise _unreadable(path, of_system(error)) from error
    finally:
        os.close(descriptor)


def refuse_placeholder(path: Path, beginning: bytes) -> None:
    """Raise `UserError` for what lies where a model should: nothing, a web page, or a Git LFS pointer."""
    size = path.stat().st_size
    text = beginning.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if size == 0:
        raise UserError(
            "source.empty", "{path} is empty (0 bytes).", mend="Copy or download it again.", path=path_in_words(path)
        )
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise UserError(
            "source.web-page",
            "{path} is a web page ({size:,} bytes), not a model: the download gave the page around the file, often "
            "one that asks to log in.",
            mend="Use the page's download button, or log in first, and take the file itself.",
            path=path_in_words(path), size=size,
        )  # fmt: skip
    if beginning.startswith((b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"%PDF")) or beginning[8:12] == b"WEBP":
        raise UserError(
            "source.picture", "{path} is a picture or a document, not a model.",
            mend="Name the model's .safetensors or .ckpt file, or its diffusers folder. The folder of your "
            "pictures is asked for elsewhere.", path=path_in_words(path),
        )  # fmt: skip
    if text.startswith(b"version https://git-lfs"):
        raise UserError(
            "source.lfs-pointer",
            "{path} is a Git LFS pointer ({size:,} bytes), not the model: the repository was cloned without its large "
            "files.",
            mend="Run `git lfs pull` in that folder, or download the file itself.",
            path=path_in_words(path), size=size,
        )  # fmt: skip


def _unreadable(path: Path, reason: str) -> UserError:
    return UserError(
        "source.unreadable", "{path} cannot be read: {reason}.", mend="Check the path and its permissions.",
        path=path_in_words(path), reason=reason,
    )  # fmt: skip


@dataclass(frozen=True)
class TokenizerFiles:
    """A folder with a tokenizer. Two are equal where every file of theirs is the same to the byte."""

    folder: Path = field(compare=False)
    content: str


@dataclass(frozen=True)
class Parts:
    """A source taken apart: `tensors` is component → file name (see `keys`) → where the tensor stands; `tokenizers` is
    folder → its own tokenizers (those that it has).
    """

    kind: Literal["folder", "safetensors", "ckpt"]
    configs: Mapping[str, Mapping[str, Any]]
    tensors: Mapping[str, Mapping[str, StoredTensor]]
    tokenizers: Mapping[str, TokenizerFiles]
