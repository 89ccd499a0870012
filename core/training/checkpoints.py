"""Resumable states on disk: what is saved, how it is written beside training, and which one to resume from.

A state is a folder `step-000100/`: `unet.safetensors` and, where it was trained, `text_encoder.safetensors` (as
precise as they are trained), `average.safetensors` where an average is kept, `optimizer.safetensors`, `state.json`,
and a manifest of sizes and hashes. It appears whole, verified, or not at all; older ones are dropped only afterwards,
but for the one that a person marked as the best.
No pickle, no generator state: everything random follows from the step.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.best import best_step
from core.events import Checkpoint, Warned
from core.files import DamagedFiles, free_bytes, remove_directory, staged_directory, sweep_staging, verify_directory
from core.machine import inspect_machine
from core.reasons import of_system
from core.tensors import iterate_tensors, read_tensors, write_tensors
from core.texts import UserError, message, path_in_words, say, size_in_words
from core.training.trained import Trained

NAME = re.compile(r"step-(\d{6,})")
OPTIMIZER_FILE = "optimizer.safetensors"
AVERAGE_FILE = "average.safetensors"
STATE_FILE = "state.json"


@dataclass(frozen=True)
class TrainingState:
    """Everything of a state that is not a tensor. `updates` counts steps that changed weights."""

    step: int
    updates: int
    total_steps: int
    micro_batch: int
    loss_scale: float
    good_updates: int
    text_encoder_stopped: bool
    threads: int
    device: str
    precision: str
    config_hash: str
    data_hash: str
    versions: Mapping[str, str]
    optimizer: Mapping[str, Any] = field(default_factory=dict)
    split_pairs: bool = False
    """Whether a micro-batch of one has its class picture in a pass of its own."""
    batch: int | None = None
    """The pictures of each update, whatever number of processes shares them; not known of older states."""
    processes: int = 1
    """How many trained together in this life of the run."""

    def with_optimizer(self, plain: Mapping[str, Any]) -> TrainingState:
        """The same with the optimizer's plain values (its tensors stand in a file of their own)."""
        return replace(self, optimizer=plain)


@dataclass(frozen=True)
class Snapshot:
    """A state in memory: tensors by file, and the rest."""

    state: TrainingState
    files: Mapping[str, Mapping[str, Tensor]]

    @property
    def bytes(self) -> int:
        return sum(tensor.nbytes for tensors in self.files.values() for tensor in tensors.values())

    def copied(self) -> Snapshot:
        """The same on the host in memory of its own, so that training may go on while it is written."""
        files = {name: {key: tensor.detach().to("cpu", copy=True) for key, tensor in tensors.items()}
                 for name, tensors in self.files.items()}  # fmt: skip
        return Snapshot(self.state, files)


class SaveFailed(UserError):
    """A state that could not be written; `id` is that of the command that asked for it."""

    def __init__(self, step: int, error: OSError | UserError, id: str | None) -> None:  # noqa: A002
        reason = str(error.message) if isinstance(error, UserError) else say("reason.sentence", "{reason}.",
                                                                             reason=of_system(error))  # fmt: skip
        super().__init__(
            "checkpoint.failed", "Step {step} could not be saved: {reason}",
            mend="What was saved before is untouched.", step=step, reason=reason,
        )  # fmt: skip
        self.id = id


class NotFinite(UserError):
    """Weights that are no numbers any more: there is nothing to save, now or later."""

    def __init__(self, step: int, weight: str) -> None:
        super().__init__(
            "checkpoint.not-finite", "The weights of step {step} are not all numbers ({weight} is not): they are not "
            "saved.",
            mend="Train it anew with a lower Learning rate (learning_rate.rate).",
            step=step, weight=weight,
        )  # fmt: skip


def refuse_not_finite(snapshot: Snapshot) -> None:
    """Raises `NotFinite` for a weight that is infinite or not a number. Waits for the device once."""
    weights = {
        f"{Path(file).stem}/{name}": tensor
        for file, tensors in snapshot.files.items()
        if file != OPTIMIZER_FILE
        for name, tensor in tensors.items()
    }
    largest = torch.stack([norm.float() for norm in torch._foreach_norm(list(weights.values()), torch.inf)])
    for name, finite in zip(weights, largest.isfinite().tolist(), strict=True):
        if not finite:
            raise NotFinite(snapshot.state.step, name)


class Checkpoints:
    """Writes the states of one run, one at a time; `finished` tells what became durable since it was asked.

    `resumed_at` is the step of the state that this life goes on from: what is newer is damaged, and goes once there
    is a new whole one.
    """

    def __init__(self, folder: Path, keep: int, *, resumed_at: int | None = None) -> None:
        self._folder = folder
        self._keep = keep
        self._damaged = {
            path for step, path in list_checkpoints(folder) if resumed_at is not None and step > resumed_at
        }
        self._thread: threading.Thread | None = None
        self._done: list[Checkpoint | Warned] = []
        self._failure: Exception | None = None

    def save(self, snapshot: Snapshot, id: str | None = None) -> None:  # noqa: A002 - the event's own field
        """Write a state: in a thread where a copy of it fits into the host's memory, else before returning.

        Raises `UserError` if there is no room for it on the disk.
        """
        self.join()
        needed = snapshot.bytes
        free = free_bytes(self._folder)
        if free < needed * 1.01:
            raise UserError(
                "checkpoint.no-room",
                "Step {step} cannot be saved: it needs {needed}, and {folder} has {free} free.",
                mend="Free some space. What was saved before is untouched.",
                step=snapshot.state.step, needed=size_in_words(needed), free=size_in_words(free), folder=self._folder,
            )  # fmt: skip
        if inspect_machine().memory_available > needed * 1.25:
            self._thread = threading.Thread(target=self._write, args=(snapshot.copied(), id), name="checkpoint")
            self._thread.start()
        else:
            self._write(snapshot, id)

    def join(self) -> None:
        """Return when nothing is being written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def finished(self) -> list[Checkpoint | Warned]:
        """Events of the states that became durable since the last call; raises `SaveFailed` if a write failed."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        done, self._done = self._done, []
        return done

    def _write(self, snapshot: Snapshot, id: str | None) -> None:  # noqa: A002
        started = time.monotonic()
        state = snapshot.state
        final = self._folder / f"step-{state.step:06d}"
        manifest = {"step": state.step, "config_hash": state.config_hash, "versions": dict(state.versions)}
        try:
            with staged_directory(final, manifest) as staging:
                for name, tensors in snapshot.files.items():
                    write_tensors(staging / name, tensors, {"format": "pt", "step": str(state.step)})
                (staging / STATE_FILE).write_text(json.dumps(asdict(state), indent=1))
            size = sum(file.stat().st_size for file in final.iterdir())
            place = str(final.relative_to(self._folder.parent))
            seconds = time.monotonic() - started
            self._done.append(Checkpoint(step=state.step, path=place, bytes=size, seconds=seconds, id=id))
            self._drop_superseded(final)
        except (OSError, UserError) as error:
            self._failure = SaveFailed(state.step, error, id)
        except Exception as error:  # a mistake of ours: raised where it can be seen, not in this thread
            self._failure = error

    def _drop_superseded(self, newest: Path) -> None:
        damaged = self._damaged - {newest}
        whole = [path for _, path in list_checkpoints(self._folder) if path not in damaged]
        marked = best_step(self._folder.parent)
        best = None if marked is None else self._folder / f"step-{marked:06d}"
        try:
            for path in (*damaged, *(path for path in whole[: -self._keep] if path != best)):
                remove_directory(path)
            self._damaged = set()
        except OSError as error:
            said = message("checkpoint.not-removed", "An older state could not be removed: {reason}.",
                           reason=of_system(error))  # fmt: skip
            self._done.append(Warned(code=said.code, message=said.text))


def list_checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """(step, folder) of every state, the oldest first. Leftovers of a killed write are not among them."""
    if not folder.is_dir():
        return []
    found = [(int(match[1]), path) for path in folder.iterdir() if (match := NAME.fullmatch(path.name))]
    return sorted(found)


def saved_as(path: Path) -> Checkpoint:
    """The event of a state that was written before."""
    size = sum(file.stat().st_size for file in path.iterdir())
    return Checkpoint(step=read_state(path).step, path=f"{path.parent.name}/{path.name}", bytes=size, seconds=0.0)


def newest_checkpoint(folder: Path, on_damage: Callable[[UserError], None]) -> Path | None:
    """The newest state that verifies; `on_damage` is told of each newer one that does not.

    Returns `None` where nothing was saved yet; raises `UserError` if there are states and none of them is whole.
    """
    if folder.is_dir():
        sweep_staging(folder)
    states = list_checkpoints(folder)
    for _, path in reversed(states):
        try:
            verify_directory(path)
        except DamagedFiles as damage:
            on_damage(damage)
        else:
            return path
    if states:
        raise UserError(
            "checkpoint.all-damaged", "No saved state in {folder} is whole any more ({count} there).",
            mend="Copy them from a backup, or start a new run with the same run.toml.", count=len(states),
            folder=folder,
        )  # fmt: skip
    return None


def read_state(path: Path) -> TrainingState:
    """The plain part of a verified state; a `UserError` for one that another version wrote differently."""
    try:
        return TrainingState(**json.loads((path / STATE_FILE).read_text()))
    except (TypeError, ValueError) as error:
        raise UserError(
            "checkpoint.other-version", "{path} was written by a version of dbtui whose states this one cannot read.",
            mend="Go on with that version: its number stands in the MANIFEST.json beside it.", path=path_in_words(path),
        ) from error  # fmt: skip


def read_optimizer(path: Path) -> dict[str, Tensor]:
    """The optimizer's tensors of a verified state."""
    return read_tensors(path / OPTIMIZER_FILE)


def read_average(path: Path) -> dict[str, Tensor]:
    """The averaged weights of a verified state, by `component/file name`; none where none were kept."""
    return read_tensors(path / AVERAGE_FILE) if (path / AVERAGE_FILE).exists() else {}


def component_file(component: str) -> str:
    return f"{component}.safetensors"


def held_components(path: Path) -> list[str]:
    """The components whose weights a verified state holds: those that were trained."""
    return [file.stem for file in sorted(path.glob("*.safetensors")) if file.name not in (OPTIMIZER_FILE, AVERAGE_FILE)]


@torch.no_grad()
def load_weights(path: Path, trained: Trained) -> None:
    """Copy a verified state's weights into these parameters, tensor by tensor."""
    for component, own in trained.components.items():
        for name, tensor in iterate_tensors(path / component_file(component)):
            own[name].copy_(tensor)
