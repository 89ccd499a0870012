"""What the machine does while it trains: GPU, memory, CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from core.texts import say, size_in_words
from dbtui.monitor.pane import Pane
from dbtui.monitor.words import FAINT, QUIET, bar
from dbtui.widths import fitted

if TYPE_CHECKING:
    from core.machine import Reading
    from core.runs.history import History

HOT = 83.0
"""°C from which most cards slow themselves down."""


class Gauge(Protocol):
    """`core.machine.Gauge`, or a fake one."""

    def read(self) -> Reading: ...


class MachinePane(Pane):
    """Bars of this machine, whoever trains on it."""

    def __init__(self, gauge: Gauge | None) -> None:
        super().__init__("machine")
        self._gauge = gauge
        self._rows = 0

    def compose(self) -> ComposeResult:
        yield Static("", id="machine-figures", markup=False)

    async def draw(self, history: History) -> None:
        if self._gauge is None:
            from core.machine import Gauge as RealGauge

            self._gauge = RealGauge()
        rows = figures(self._gauge.read())
        grown, self._rows = len(rows) != self._rows, len(rows)
        self.query_one("#machine-figures", Static).update(drawn(rows, self.content_size.width), layout=grown)


Row = tuple[str, str, float | None, str]
"""Title, value, share from 0 to 1 where there is one, style of the bar."""


def figures(reading: Reading) -> list[Row]:
    """What can be known of this machine, one row each."""
    rows: list[Row] = []
    if reading.gpu_use is not None:
        rows.append(("GPU", f"{reading.gpu_use:.0f}%", reading.gpu_use / 100, "$success"))
    if reading.gpu_memory_used is not None:
        rows.append(_memory(say("machine.gpu-memory", "GPU memory"), reading.gpu_memory_used, reading.gpu_memory))
    if reading.gpu_temperature is not None:
        hot = reading.gpu_temperature >= HOT
        told = f"{reading.gpu_temperature:.0f} °C" + (say("machine.hot", " hot") if hot else "")
        heat = say("machine.gpu-heat", "GPU heat")
        rows.append((heat, told, reading.gpu_temperature / 100, "$error" if hot else "$success"))
    if reading.gpu_power is not None:
        rows.append((say("machine.gpu-power", "GPU power"), f"{reading.gpu_power:.0f} W", None, ""))
    if reading.cpu_use is None and reading.memory_used is not None:
        rows.append(("CPU", "…", None, ""))
    elif reading.cpu_use is not None:
        rows.append(("CPU", f"{reading.cpu_use:.0f}%", reading.cpu_use / 100, "$success"))
    if reading.memory_used is not None:
        rows.append(_memory(say("machine.memory", "Memory"), reading.memory_used, reading.memory))
    return rows


def _memory(title: str, used: float, total: float | None) -> Row:
    if not total:
        return title, size_in_words(used), None, ""
    share = used / total
    amount = say("machine.of", "{used:.1f} of {total}", used=used / 1e9, total=size_in_words(total))
    return title, amount, share, "$warning" if share > 0.92 else "$success"


def drawn(rows: list[Row], width: int) -> Content:
    """The rows under each other: title, bar where there is room for one, value."""
    if not rows:
        return Content(say("machine.nothing", "This machine tells nothing about itself."))
    titles = max(cell_len(title) for title, *_ in rows)
    values = max((cell_len(value) for _, value, share, _ in rows if share is not None), default=0)
    room = min(40, width - titles - values - 4)
    lines = []
    for title, value, share, style in rows:
        line = Content.assemble((fitted(title, titles), QUIET), "  ")
        if share is not None and room >= 4:
            filled, empty = bar(share, room)
            line += Content.assemble((filled, style), (empty, FAINT), "  ")
        lines.append(line + value)
    return Content("\n").join(lines)
