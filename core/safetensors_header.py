"""The header of a safetensors file, read and checked without torch.

A file is eight bytes of header length (little endian), the header in JSON, and the bytes of all tensors without gaps
(https://github.com/huggingface/safetensors#format). Everything is checked against the file's real size, so that a
file cut short is found here and not as a crash while its weights are read.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.reasons import not_a_file, of_system
from core.texts import UserError, path_in_words, say, size_in_words

DTYPE_BYTES: Mapping[str, int] = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8, "C64": 8,
}  # fmt: skip
LENGTH_BYTES = 8
LONGEST_HEADER = 100_000_000
"""What the safetensors library allows, in bytes."""
MOST_DIMENSIONS = 32

_MEND = "Copy or download the file again."


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of a file: `start` and `end` are byte positions in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """`tensors` in the order of their bytes."""

    tensors: Mapping[str, TensorEntry]
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """Read and check the header of `path`; the tensors themselves are not touched. `UserError` if anything is wrong."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return header_of(descriptor, path)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UserError(
            "weights.unreadable", "{path} cannot be read: {reason}.", mend="Check the path and its permissions.",
            path=path_in_words(path), reason=of_system(error),
        ) from error  # fmt: skip


def header_of(descriptor: int, path: Path) -> Header:
    """The same for a file that is already open; `path` is only named in errors."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise _damaged(path, not_a_file())
    size = status.st_size
    if size == 0:
        raise UserError("weights.empty", "{path} is empty (0 bytes).", mend=_MEND, path=path_in_words(path))
    if size < LENGTH_BYTES + 2:
        raise _damaged(path, say("header.small", "it has only {size} bytes", size=size))
    length = int.from_bytes(os.pread(descriptor, LENGTH_BYTES, 0), "little")
    if length > LONGEST_HEADER:
        raise _damaged(path, say("header.beginning", "it does not begin like one"))
    if length > size - LENGTH_BYTES:
        raise _cut_short(path, size, LENGTH_BYTES + length)
    return _parsed(os.pread(descriptor, length, LENGTH_BYTES), path, size)


def build_header(tensors: Iterable[tuple[str, str, tuple[int, ...]]], metadata: Mapping[str, str]) -> bytes:
    """The first bytes of a file (length and JSON) for tensors (name, dtype, shape) that follow in this order."""
    described: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    position = 0
    for name, dtype, shape in tensors:
        end = position + math.prod(shape) * DTYPE_BYTES[dtype]
        described[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text


def _parsed(text: bytes, path: Path, size: int) -> Header:
    try:
        described = json.loads(text.decode(), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, say("header.json", "its header is not valid JSON")) from error
    if not isinstance(described, dict):
        raise _damaged(path, say("header.object", "its header is not a JSON object"))
    metadata = described.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _damaged(path, say("header.metadata", "its metadata is not a table of texts"))
    data_start = LENGTH_BYTES + len(text)
    entries = [_entry(name, value, data_start, path) for name, value in described.items()]
    entries.sort(key=lambda entry: (entry.start, entry.end))
    position = data_start
    for entry in entries:
        if entry.start != position:
            raise _damaged(path, say("header.gap", "the tensor {name!r} does not begin where the one before it ends",
                                     name=entry.name))  # fmt: skip
        position = entry.end
    if position > size:
        raise _cut_short(path, size, position)
    if position < size:
        raise _damaged(path, say("header.rest", "{size} follow after its last tensor",
                                 size=size_in_words(size - position)))  # fmt: skip
    return Header({entry.name: entry for entry in entries}, metadata)


def _entry(name: str, value: Any, data_start: int, path: Path) -> TensorEntry:
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise _damaged(path, say("header.entry", "the entry of the tensor {name!r} is not dtype, shape and "
                                 "data_offsets", name=name))  # fmt: skip
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BYTES:
        raise _damaged(path, say("header.dtype", "the tensor {name!r} has the unknown type {dtype!r}", name=name,
                                 dtype=dtype))  # fmt: skip
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
        raise _damaged(path, say("header.shape", "the tensor {name!r} has no valid shape and place", name=name))
    if offsets[1] - offsets[0] != math.prod(shape) * DTYPE_BYTES[dtype]:
        raise _damaged(path, say("header.bytes", "the tensor {name!r} takes another number of bytes than its shape "
                                 "needs", name=name))  # fmt: skip
    return TensorEntry(name, dtype, tuple(shape), data_start + offsets[0], data_start + offsets[1])


def _are_counts(values: Any) -> bool:
    if not isinstance(values, list) or len(values) > MOST_DIMENSIONS:
        return False
    return all(type(value) is int and 0 <= value < 2**63 for value in values)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name stands twice")
    return result


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(
        "weights.header", "{path} is not a whole safetensors file: {reason}.", mend=_MEND, path=path_in_words(path),
        reason=reason,
    )  # fmt: skip


def _cut_short(path: Path, size: int, expected: int) -> UserError:
    return UserError(
        "weights.cut-short", "{path} is cut short: it has {size:,} bytes, its header promises {expected:,}.",
        mend=_MEND, path=path_in_words(path), size=size, expected=expected,
    )  # fmt: skip
