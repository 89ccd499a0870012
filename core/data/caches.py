"""What the frozen networks make of pictures and captions, computed once: latents on disk, embeddings in memory.

Everything is encoded one at a time, so that its bits do not depend on what else was missing when it was made: a run
that was killed while it filled its cache goes on with the same numbers as one that was not.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from core.data.pictures import to_array
from core.data.views import View, picture_of
from core.files import explain, hash_file, sweep_staging, write_atomic
from core.reasons import of_system
from core.safetensors_header import read_header
from core.tensors import digest, read_tensors, tensor_bytes
from core.texts import UserError, path_in_words

log = logging.getLogger(__name__)

FORMAT = "2"
"""Raised when pictures are prepared otherwise, so that older caches are not taken for new ones."""
SHARE_OF_FREE = 0.1
"""Of the device's free memory, what latents may take when nothing else is said: the networks need the rest."""


@dataclass(frozen=True)
class LatentTable:
    """The VAE's mean and standard deviation, (N, C, h, w) float32: on `device`, else in pinned memory of the host."""

    mean: Tensor
    std: Tensor
    scaling: float
    device: torch.device

    @property
    def shape(self) -> torch.Size:
        """(C, h, w) of one picture."""
        return self.mean.shape[1:]

    def draw(self, indices: Tensor | Sequence[int], noise: Tensor) -> Tensor:
        """(mean + std · noise) · scaling of these rows, on the device: one sample of the posterior for each.

        `noise` is (B, C, h, w) on the device. Never waits for the device; so where the table lies on the host,
        `indices` has to lie there too (`ValueError` otherwise).
        """
        rows = torch.as_tensor(indices)
        if rows.device == self.mean.device:
            mean, std = self.mean[rows], self.std[rows]
        elif rows.device.type == "cpu":
            rows = send(rows, self.mean.device)
            mean, std = self.mean[rows], self.std[rows]
        else:
            raise ValueError("the table lies on the host: indices on the device would make the host wait for it")
        return torch.addcmul(send(mean, self.device), send(std, self.device), noise) * self.scaling


class LatentCache:
    """One safetensors file a picture in `directory`, named after all that its content depends on.

    `encode` takes pixels (B, 3, H, W) in [-1, 1] and gives the posterior's mean and standard deviation (B, C, h, w),
    unscaled; `key` names the VAE (a hash of its weights); `scaling` is the VAE's scaling factor.
    """

    def __init__(
        self, directory: Path, encode: Callable[[Tensor], tuple[Tensor, Tensor]], key: str, *, scaling: float
    ) -> None:
        self._directory = directory
        self._encode = encode
        self._key = key
        self._scaling = scaling
        self._files: dict[View, Path] = {}

    def prepare(self, views: Sequence[View]) -> Iterator[tuple[int, int]]:
        """Encode the views that are missing; yields (done, missing) before the first and after each.

        Pictures are known by their content: renamed or twice there, they are encoded once. A damaged cache file is
        made anew and the log says so. Raises `UserError` for a picture that cannot be read, a disk that cannot be
        written and a VAE that gives something not a number.
        """
        contents = {path: _content(path) for path in dict.fromkeys(view.item.path for view in views)}
        self._files = {view: self._file_of(view, contents[view.item.path]) for view in views}
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            sweep_staging(self._directory)
        except OSError as error:
            raise explain(error, self._directory) from error
        missing = {file: view for view, file in self._files.items() if not _is_whole(file)}
        if missing:
            yield 0, len(missing)
        for done, (file, view) in enumerate(missing.items(), start=1):
            self._write(file, view)
            yield done, len(missing)

    def load(self, views: Sequence[View], device: torch.device, *, room: int | None = None) -> LatentTable:
        """The latents of `views` (prepared before, all of one size), in their order, as a table.

        `room` is how many bytes it may take on the device; `None` is a tenth of what is free there now. A larger
        table lies in pinned memory of the host.
        """
        device = torch.empty(0, device=device).device  # "cuda" becomes "cuda:0", as tensors say it
        mean = std = torch.empty(0)
        for row, view in enumerate(views):
            tensors = _read(self._files[view])
            if row == 0:
                mean = self._table(len(views), tensors["mean"], device, room)
                std = torch.empty_like(mean, pin_memory=mean.is_pinned())
            mean[row].copy_(tensors["mean"])
            std[row].copy_(tensors["std"])
        return LatentTable(mean, std, self._scaling, device)

    @staticmethod
    def _table(count: int, one: Tensor, device: torch.device, room: int | None) -> Tensor:
        if device.type == "cpu":
            return torch.empty(count, *one.shape)
        room = table_room(device) if room is None else room
        fits = 2 * count * one.nbytes <= room
        return torch.empty(count, *one.shape, device=device if fits else "cpu", pin_memory=not fits)

    def _file_of(self, view: View, content: str) -> Path:
        if view.place is not None:
            raise ValueError("a random cut is another one each time: it cannot be cached")
        cut = (str(view.size.height), str(view.size.width), "mirrored" if view.mirrored else "")
        name = hashlib.sha256("\0".join((FORMAT, content, *cut, self._key)).encode()).hexdigest()
        return self._directory / f"{name}.safetensors"

    @torch.no_grad()
    def _write(self, file: Path, view: View) -> None:
        path = view.item.path
        pixels = torch.from_numpy(to_array(picture_of(view)))
        mean, std = (moment[0].float().cpu() for moment in self._encode(pixels[None]))
        if not (mean.isfinite().all() and std.isfinite().all()):
            raise UserError(
                "latents.not-finite", "The model's VAE gave something that is not a number for {path}.",
                mend="The picture is not to blame: the VAE's weights are damaged or overflow in 16 bits. Use another "
                "copy of the model.", path=path_in_words(path),
            )  # fmt: skip
        tensors = {"mean": mean, "std": std}
        try:
            write_atomic(file, tensor_bytes(tensors, {"digest": digest(tensors)}))
        except OSError as error:
            raise explain(error, file) from error


class TextCache:
    """Unique captions → embeddings, in memory: on `device`, or pinned on the host where they are too many for it (see
    `table_room`).

    `encode` takes one caption and gives its tensors by name, each with a leading dimension of 1: `hidden` (1, 77, D)
    and, where a family has it, `pooled` (1, P).
    """

    def __init__(self, encode: Callable[[str], Mapping[str, Tensor]], device: torch.device) -> None:
        self._encode = encode
        self._device = device
        self._rows: dict[str, int] = {}
        self._tables: dict[str, Tensor] = {}

    @torch.no_grad()
    def prepare(self, captions: Sequence[str], *, room: int | None = None) -> None:
        """Encode the captions that are not known yet. `room`: how many bytes all may take on the device."""
        new = [caption for caption in dict.fromkeys(captions) if caption not in self._rows]
        encoded = [{name: tensor.detach().cpu() for name, tensor in self._encode(caption).items()} for caption in new]
        for name in encoded[0] if encoded else ():
            known = [self._tables[name].cpu()] if name in self._tables else []
            self._tables[name] = torch.cat([*known, *(tensors[name] for tensors in encoded)])
        self._rows |= {caption: len(self._rows) + place for place, caption in enumerate(new)}
        room = table_room(self._device) if room is None else room
        fits = self._device.type == "cpu" or sum(table.nbytes for table in self._tables.values()) <= room
        for name, table in self._tables.items():
            self._tables[name] = table.to(self._device) if fits else table.cpu().pin_memory()

    def embeddings(self, captions: Sequence[str]) -> dict[str, Tensor]:
        """The embeddings of prepared captions, one row for each, on the device. Never waits for it."""
        rows = torch.tensor([self._rows[caption] for caption in captions])
        return {name: send(table[send(rows, table.device)], self._device) for name, table in self._tables.items()}


def table_room(device: torch.device) -> int:
    """How many bytes tables may take on `device`: a tenth of what is free there now."""
    return int(torch.cuda.mem_get_info(device)[0] * SHARE_OF_FREE) if device.type == "cuda" else 0


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """`tensor` on `device`, without waiting for it."""
    if tensor.device == device:
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def _content(path: Path) -> str:
    try:
        return hash_file(path)
    except OSError as error:
        raise UserError(
            "picture.unreadable", "{path} cannot be read: {reason}.",
            mend="Check that it is still there, its permissions and the disk.",
            path=path_in_words(path), reason=of_system(error),
        ) from error  # fmt: skip


def _is_whole(file: Path) -> bool:
    if not file.exists():
        return False
    try:
        _read(file)
    except UserError as error:
        log.warning("%s It is encoded again.", error.message.text)
        return False
    return True


def _read(file: Path) -> dict[str, Tensor]:
    expected = read_header(file).metadata.get("digest")
    tensors = read_tensors(file)
    if digest(tensors) != expected:
        raise UserError(
            "latents.damaged", "The cached latents in {path} are damaged.",
            mend="Start the run again; they are then encoded again.", path=path_in_words(file),
        )  # fmt: skip
    return tensors
