"""A run's figures and previews as TensorBoard's event files: `tensorboard --logdir <home>/runs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.events import Event, RunStarted, Sample
from core.runs.trackers.figures import figures

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoard:
    """Writes `<run>/tensorboard`. A resumed run's files hide what the lost end of its earlier life had written."""

    title = "TensorBoard"

    def __init__(self, folder: Path) -> None:
        import torch.utils.tensorboard  # noqa: F401 - a missing library is told before the first event

        self._folder = folder
        self._open: SummaryWriter | None = None

    def tell(self, event: Event) -> None:
        from torch.utils.tensorboard import SummaryWriter

        if isinstance(event, RunStarted):
            self.close()
            lost = None if event.resumed_from is None else event.resumed_from + 1
            self._open = SummaryWriter(str(self._folder / "tensorboard"), purge_step=lost)
            asked = (self._folder / "run.toml").read_text(encoding="utf-8")
            self._open.add_text("run.toml", "```toml\n" + asked + "\n```", event.resumed_from or 0)
        elif self._open is not None and isinstance(event, Sample):
            self._add_picture(self._open, event)
        elif self._open is not None:
            step, values = figures(event)
            for name, value in values.items():
                self._open.add_scalar(name, value, step, walltime=event.time)

    def flush(self) -> None:
        if self._open is not None:
            self._open.flush()

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _add_picture(self, writer: SummaryWriter, event: Sample) -> None:
        import numpy
        from PIL import Image

        path = self._folder / event.path
        with Image.open(path) as picture:
            writer.add_image(f"previews/{path.stem}", numpy.asarray(picture.convert("RGB")), event.step,
                             walltime=event.time, dataformats="HWC")  # fmt: skip
