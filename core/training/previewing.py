"""The previews of one step, as events. Training goes on whatever becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from core.events import Event, Phase, Sample
from core.sampling.previews import make_previews
from core.training import faults
from core.training.device import Settled, lack_of_memory
from core.training.judging import UNJUDGED
from core.training.precision import autocast
from core.training.prepare import Prepared
from core.training.requests import Requests


def show(
    prepared: Prepared, settled: Settled, requests: Requests, *, folder: Path, title: str, step: int, id: str | None,  # noqa: A002
    weights: Callable[[], AbstractContextManager[None]],
) -> Iterator[Event]:  # fmt: skip
    """Make every preview of `step`; the VAE is on the device meanwhile. `id` is that of the command that asked.
    `weights` puts in force those that the previews are made with.

    Lack of memory or a disk that fails is told as a warning. Raises `StopRequested` between denoising steps.
    """
    model, previews = prepared.model, prepared.previews
    if not previews:
        yield faults.no_previews(id)
        return
    yield Phase(name="sampling", done=0, total=len(previews))
    made = make_previews(
        model, previews, prepared.conditioning.prompt, folder=folder, step=step, title=title,
        autocast=autocast(settled.precision, settled.device), on_step=requests.look_or_stop,
        weights=weights,
    )  # fmt: skip
    skipped = None
    try:
        with lack_of_memory(), model.vae_on(settled.device):
            for done, (preview, path) in enumerate(made, 1):
                verdict = prepared.judge.look(folder / path, preview.concept) if prepared.judge else UNJUDGED
                yield Sample(step=step, path=str(path), prompt=preview.prompt, seed=preview.seed,
                             concept=preview.concept, of_class=preview.of_class, noun=verdict.noun,
                             likeness=verdict.likeness, id=id)  # fmt: skip
                yield Phase(name="sampling", done=done, total=len(previews))
    except (torch.OutOfMemoryError, OSError) as error:
        skipped = faults.sample_skipped(step, error, id)
    if skipped is not None:  # only now: while an error is handled, its traceback keeps what filled the memory
        torch.cuda.empty_cache()
        yield skipped
