"""What the loop says when it cannot go on as it was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from core.config.options import RunConfig
from core.events import Warned
from core.files import explain
from core.planning.remedies import ways
from core.texts import UserError, counted, listed, message, path_in_words, say


def not_finite(config: RunConfig, steps: int, step: int, pictures: Iterable[str]) -> UserError:
    """After so many steps in a row without a number as loss or gradient."""
    return UserError(
        "training.not-finite",
        "{steps} steps in a row gave no number as loss or gradient; step {step} had {pictures}. The weights are as "
        "they were before.",
        mend="What may help, the most promising first: {ways}. A run that has saved states keeps its rate: it takes a "
        "new run, then.",
        steps=steps, step=step, pictures=listed(sorted(set(pictures))), ways=ways("training.not-finite", config),
    )  # fmt: skip


def out_of_memory(config: RunConfig, size: int) -> UserError:
    """Where not even one picture fits."""
    return UserError(
        "training.out-of-memory",
        "The device's memory is not enough for a single picture at {size} px.",
        mend="What may help, the most promising first: {ways}.", size=size,
        ways=ways("training.out-of-memory", config, size),
    )  # fmt: skip


def no_room_for_the_optimizer(config: RunConfig) -> UserError:
    """Where the gradients fit and the optimizer's own memory does not."""
    return UserError(
        "training.no-room-for-the-optimizer",
        "The device's memory is enough for the gradients, but not for what the optimizer keeps beside them.",
        mend="What may help, the most promising first: {ways}. The run can be resumed from the last saved state.",
        ways=ways("training.no-room-for-the-optimizer", config),
    )  # fmt: skip


def not_shared(pictures: int, processes: int) -> UserError:
    """Where an update's pictures cannot be dealt out evenly."""
    return UserError(
        "processes.share",
        "Each update of this run has {pictures}, which cannot be shared evenly by {processes} processes.",
        mend="Train it with a number of processes that divides them.", pictures=counted(pictures, "picture"),
        processes=processes,
    )  # fmt: skip


def other_material() -> UserError:
    """Where the processes of a run would not learn the same."""
    return UserError(
        "processes.other-material",
        "The processes of this run do not see the same pictures, captions, source model and saved state.",
        mend="On several computers all of these must be at the same paths, best on a disk that they share.",
    )


def smaller_batches(slots: int, *, with_class: bool) -> Warned:
    """After the effective batch was cut into smaller passes."""
    return warning(
        "training.smaller-batches",
        "The device's memory was not enough: from here on {count} at a time and more passes for each update. The "
        "result is the same, the speed lower.",
        count=counted(slots, "picture of yours with its class picture", "pictures of yours with their class pictures")
        if with_class else counted(slots, "picture"),
    )  # fmt: skip


def sample_skipped(step: int, error: Exception, id: str | None) -> Warned:  # noqa: A002 - the event's own field
    """A preview that could not be made; training goes on."""
    if isinstance(error, OSError):
        reason = explain(error, say("sample.folder", "the folder of previews")).message.text.rstrip(".。")
    else:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".。")
    return warning("sample.skipped", "The preview of step {step} was skipped: {reason}.", id, step=step, reason=reason)


def validation_skipped(step: int) -> Warned:
    """A validation that did not fit; training goes on."""
    return warning(
        "validation.skipped", "The validation of step {step} was skipped: the device's memory is not enough.", step=step
    )


def no_previews(id: str | None) -> Warned:  # noqa: A002
    """Where a preview was asked for and every concept makes none."""
    return warning(
        "sample.none-wanted", "There is nothing to show: every concept asks for 0 Previews (sample.count).", id
    )


def gpu_unused(gpu: str) -> Warned:
    """Where there is a GPU that torch cannot use."""
    return warning(
        "device.gpu-unused",
        "There is a {gpu} here, but torch cannot use it: the run trains on the processor, many times slower. `dbtui "
        "doctor` says more; an old driver is the usual reason.",
        gpu=gpu,
    )  # fmt: skip


def data_changed(step: int) -> Warned:
    """A resumed run whose pictures, captions or source are not what they were."""
    return warning(
        "resume.data-changed",
        "The pictures, captions or source model have changed since step {step}: the run goes on with what is there "
        "now, not as it would have.",
        step=step,
    )  # fmt: skip


def other_processes(step: int, before: int, now: int) -> Warned:
    """A resumed run that other many processes go on with."""
    return warning(
        "resume.other-processes",
        "Until step {step} this run was trained by {before}, and now it is {now}. Each update learns from as many "
        "pictures as before; the time that it takes is another.",
        step=step, before=counted(before, "process", "processes"), now=counted(now, "process", "processes"),
    )  # fmt: skip


def class_folder_gone(directory: str, run: str) -> Warned:
    """The class pictures were to lie in the folder of a run that is not there any more."""
    return warning(
        "class.run-gone",
        "The class folder {directory} is not there any more, nor is the run {run}: class pictures are made and kept in "
        "this run.",
        directory=path_in_words(directory),
        run=run,
    )


def warning(code: str, english: str, id: str | None = None, **values: Any) -> Warned:  # noqa: A002
    """A `warning` event of a message."""
    said = message(code, english, **values)
    return Warned(code=said.code, message=said.text, id=id)
