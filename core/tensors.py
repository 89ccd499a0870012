"""Tensors in safetensors files: written one by one, read one by one.

The library's own writer takes all tensors as one block of bytes, and its reader maps the file (a file cut short is
then a SIGBUS). Here no more than one tensor is held beside what the caller has, and reading is plain `preadv` into
the tensor's own memory. Neither knows whether bits were flipped: that is what manifests and the cache's digest are for.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from core.files import sync_file
from core.reasons import of_system
from core.safetensors_header import DTYPE_BYTES, TensorEntry, build_header, header_of
from core.texts import UserError, path_in_words

TORCH_DTYPES: Mapping[str, torch.dtype] = {
    "BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2, "U16": torch.uint16, "I16": torch.int16, "F16": torch.float16,
    "BF16": torch.bfloat16, "U32": torch.uint32, "I32": torch.int32, "F32": torch.float32, "U64": torch.uint64,
    "I64": torch.int64, "F64": torch.float64, "C64": torch.complex64,
}  # fmt: skip
NAMES = {dtype: name for name, dtype in TORCH_DTYPES.items()}
LONGEST_READ = 2**30
"""Bytes asked of the system at a time (Linux gives at most 2³¹ − 4096)."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write `path` and sync it. It is not atomic: the caller stages. Tensors may lie on any device."""
    with path.open("wb") as file:
        for piece in _pieces(tensors, metadata):
            file.write(piece)
    sync_file(path)


def tensor_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The same file in memory, for small ones."""
    return b"".join(_pieces(tensors, metadata))


def iterate_tensors(path: Path, names: Iterable[str] | None = None) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a file (or those of `names`), in the order of their bytes, in fresh host memory.

    The whole header is checked before the first tensor comes. Raises `UserError` for a damaged file and `KeyError`
    for a name that it does not hold.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        entries = header_of(descriptor, path).tensors
        wanted = entries.values() if names is None else [entries[name] for name in names]
        for entry in wanted:
            yield entry.name, _read(descriptor, entry, path)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)


def read_tensors(path: Path, names: Iterable[str] | None = None) -> dict[str, Tensor]:
    """All that `iterate_tensors` gives."""
    return dict(iterate_tensors(path, names))


def digest(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over names, types, shapes and bits: equal exactly where two sets of tensors are the same to the bit."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"{name}\0{NAMES[tensor.dtype]}\0{tuple(tensor.shape)}\0".encode())
        total.update(_bytes_of(_on_host(tensor)))
    return total.hexdigest()


def _pieces(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    # Wide types first, so that every tensor begins at a multiple of its element's size, as the library asks.
    order = sorted(tensors, key=lambda name: (-DTYPE_BYTES[NAMES[tensors[name].dtype]], name))
    yield build_header(((name, NAMES[tensors[name].dtype], tuple(tensors[name].shape)) for name in order), metadata)
    for name in order:
        yield _bytes_of(_on_host(tensors[name]))


def _on_host(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu")


def _bytes_of(tensor: Tensor) -> memoryview:
    """The bytes of a host tensor: its own memory where it is contiguous, else a copy. The view keeps them alive."""
    return tensor.reshape(-1).view(torch.uint8).numpy().data


def _read(descriptor: int, entry: TensorEntry, path: Path) -> Tensor:
    tensor = torch.empty(entry.shape, dtype=TORCH_DTYPES[entry.dtype])
    target, position = _bytes_of(tensor), entry.start
    while position < entry.end:
        done = position - entry.start
        count = os.preadv(descriptor, [target[done : done + LONGEST_READ]], position)
        if count == 0:
            raise UserError(
                "weights.cut-short", "{path} became shorter while it was read.", mend="Copy or download it again.",
                path=path_in_words(path),
            )  # fmt: skip
        position += count
    return tensor


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(
        "weights.unreadable", "{path} cannot be read: {reason}.", mend="Check the path, its permissions and the disk.",
        path=path_in_words(path), reason=of_system(error),
    )  # fmt: skip
