"""What a `.ckpt` holds, read without torch and without running anything in it.

A `.ckpt` is a zip file: `<name>/data.pkl` describes the tensors, `<name>/data/<key>` are their bytes. A pickle is a
program that may call anything; here it may call a dozen named things, each replaced by an inert stand-in of ours
that only remembers sizes. Every other name is refused before it is looked up. Classic SD 1.x files hold a few
Lightning callback objects beside their tensors; those names are on the list and become empty objects.
"""

from __future__ import annotations

import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from core.reasons import of_system
from core.texts import UserError, path_in_words, say

ZIP_MAGIC = b"PK\x03\x04"
LARGEST_PICKLE = 64_000_000
"""Bytes; the description of a large model takes about one million."""

LIGHTNING_CALLBACKS: tuple[str, ...] = tuple(
    f"{package}.callbacks.{name}"
    for package in ("pytorch_lightning", "lightning.pytorch")
    for name in (
        "model_checkpoint.ModelCheckpoint",
        "early_stopping.EarlyStopping",
        "lr_monitor.LearningRateMonitor",
        "base.Callback",
    )
)
"""Objects in classic checkpoints that hold no weights and become empty stand-ins."""

_ELEMENT_BYTES = {
    "DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "IntStorage": 4,
    "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1,
}  # fmt: skip


@dataclass(frozen=True)
class PickledTensor:
    """`shape` and bytes of one element of a tensor described in a pickle."""

    shape: tuple[int, ...]
    element_bytes: int


class Forbidden(pickle.UnpicklingError):
    """The pickle asks for something that is not on the list."""


class Inert:
    """Stands for an object whose class is not needed: remembers nothing, does nothing."""

    def __new__(cls, *_args: object, **_named: object) -> Inert:
        return super().__new__(cls)

    def __init__(self, *_args: object, **_named: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        pass


@dataclass(frozen=True)
class _StorageType:
    element_bytes: int


@dataclass(frozen=True)
class _Storage:
    element_bytes: int
    elements: int


def read_tensors(path: Path) -> dict[str, PickledTensor]:
    """Name → tensor of the state dict in the zip file at `path`; nested `state_dict` entries are followed.

    `UserError` where it is cut short, damaged, in the old format without a zip, or holds more than tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            name = _pickle_name(archive, path)
            sizes = {
                entry.filename.removeprefix(name.removesuffix("data.pkl") + "data/"): entry.file_size
                for entry in archive.infolist()
                if entry.compress_type == zipfile.ZIP_STORED
            }
            with archive.open(name) as file:
                content = _Unpickler(file, sizes).load()
    except (zipfile.BadZipFile, NotImplementedError) as error:
        size = path.stat().st_size
        raise UserError(
            "source.cut-short",
            "{path} begins like a .ckpt but its table of contents is missing or damaged: it has {size:,} bytes and was "
            "probably cut short.",
            mend="Copy or download the file again.", path=path_in_words(path), size=size,
        ) from error  # fmt: skip
    except Forbidden as error:
        raise UserError(
            "source.pickle-forbidden",
            "{path} holds more than tensors: it asks to run {name}. Nothing was run.",
            mend="Do not open it with other programs. Take a .safetensors version of this model, which cannot hold "
            "programs, or get it from somewhere else.",
            path=path_in_words(path), name=str(error),
        ) from error  # fmt: skip
    except OSError as error:
        raise UserError(
            "source.unreadable", "{path} cannot be read: {reason}.", mend="Check the path and its permissions.",
            path=path_in_words(path), reason=of_system(error),
        ) from error  # fmt: skip
    except UserError:
        raise
    except Exception as error:
        # A pickle is a program: a damaged one can raise anything at all from within.
        raise damaged(path, say("pickled.strange", "its description of the tensors cannot be read ({name})",
                                name=type(error).__name__)) from error  # fmt: skip
    return _state_dict(content, path)


def state_dict_in(content: object) -> Mapping[Any, Any] | None:
    """The innermost `state_dict` of what a checkpoint holds; ends also where one contains itself."""
    seen: set[int] = set()
    while isinstance(content, dict) and "state_dict" in content and id(content) not in seen:
        seen.add(id(content))
        content = content["state_dict"]
    return content if isinstance(content, dict) and id(content) not in seen else None


def damaged(path: Path, reason: str) -> UserError:
    """The error for a `.ckpt` that is none."""
    return UserError(
        "source.damaged", "{path} is not a readable .ckpt file: {reason}.",
        mend="Copy or download the file again, or take the model as .safetensors.",
        path=path_in_words(path), reason=reason,
    )  # fmt: skip


def _state_dict(content: object, path: Path) -> dict[str, PickledTensor]:
    state = state_dict_in(content)
    if state is None:
        raise damaged(path, say("pickled.no-table", "it holds no table of tensors"))
    tensors = {name: value for name, value in state.items() if isinstance(value, PickledTensor)}
    if not tensors or not all(isinstance(name, str) for name in tensors):
        raise damaged(path, say("pickled.no-names", "it holds no named tensors"))
    return tensors


def _pickle_name(archive: zipfile.ZipFile, path: Path) -> str:
    found = [entry for entry in archive.infolist() if entry.filename.count("/") == 1]
    found = [entry for entry in found if entry.filename.endswith("/data.pkl")]
    if len(found) != 1:
        raise damaged(path, say("pickled.other-zip", "it is a zip file, but not one that torch wrote"))
    if found[0].file_size > LARGEST_PICKLE:
        raise damaged(path, say("pickled.large", "its description of the tensors is larger than any model's"))
    return found[0].filename


# The class in C keeps memoized objects in an array that a made-up index grows without limit, this one in a dict.
class _Unpickler(pickle._Unpickler):
    def __init__(self, file: IO[bytes], sizes: Mapping[str, int]) -> None:
        super().__init__(file, encoding="utf-8")
        self._sizes = sizes
        self._allowed = _stand_ins()

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._allowed[f"{module}.{name}"]
        except KeyError:
            raise Forbidden(f"{module}.{name}") from None

    def persistent_load(self, saved: Any) -> _Storage:
        kind, storage_type, key, _place, elements = saved
        if kind != "storage" or not isinstance(storage_type, _StorageType) or not isinstance(elements, int):
            raise pickle.UnpicklingError("not a storage")
        if self._sizes.get(str(key)) != elements * storage_type.element_bytes:
            raise pickle.UnpicklingError(f"the bytes of storage {key!r} are missing or of another size")
        return _Storage(storage_type.element_bytes, elements)


def _stand_ins() -> dict[str, Any]:
    """Made anew for each file, so that no file can leave anything behind in them."""

    def tensor(storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> Any:
        if not isinstance(storage, _Storage) or len(shape) != len(strides):
            raise pickle.UnpicklingError("not a tensor")
        if not all(isinstance(number, int) and number >= 0 for number in (offset, *shape, *strides)):
            raise pickle.UnpicklingError("a tensor with impossible sizes")
        last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
        if math.prod(shape) > 0 and last >= storage.elements:
            raise pickle.UnpicklingError("a tensor outside its bytes")
        return PickledTensor(tuple(shape), storage.element_bytes)

    def parameter(data: PickledTensor, *_: Any) -> PickledTensor:
        return data

    def inert_function(*_: Any) -> Inert:
        return Inert()

    def table(entries: Any = ()) -> OrderedDict[Any, Any]:
        return _Table(entries)

    class _Table(OrderedDict[Any, Any]):
        """An OrderedDict of our own: state dicts carry `_metadata`, which is dropped."""

        def __setstate__(self, _state: object) -> None:
            pass

    allowed: dict[str, Any] = {
        "collections.OrderedDict": table,
        "torch._utils._rebuild_tensor": tensor,
        "torch._utils._rebuild_tensor_v2": tensor,
        "torch._utils._rebuild_parameter": parameter,
        "numpy.core.multiarray.scalar": inert_function,
        "numpy._core.multiarray.scalar": inert_function,
        "numpy.dtype": inert_function,
        "_codecs.encode": inert_function,
    }
    allowed |= {f"torch.{name}": _StorageType(size) for name, size in _ELEMENT_BYTES.items()}
    allowed |= {name: type("Inert", (Inert,), {}) for name in LIGHTNING_CALLBACKS}
    return allowed


def refuse_legacy(path: Path) -> NoReturn:
    """The error for `.ckpt` files from before torch 1.6, which are bare pickles."""
    raise UserError(
        "source.pickle-legacy",
        "{path} is a bare pickle in the format from before torch 1.6, which is not read here.",
        mend="Take a .safetensors version of this model, or write it anew: python -c \"import torch; "
        "torch.save(torch.load('old.ckpt', weights_only=True), 'new.ckpt')\"",
        path=path_in_words(path),
    )  # fmt: skip


def torch_stand_ins() -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """(stand-in, name) for `torch.serialization.safe_globals`: what a described file may hold beside tensors."""
    names = (*LIGHTNING_CALLBACKS, "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype",
             "_codecs.encode")  # fmt: skip
    return [(type("Inert", (Inert,), {}), name) for name in names]
