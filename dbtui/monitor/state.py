"""The lines at the top: state and figures, progress, and whatever a person should know now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from core.texts import beside, duration_in_words, say, size_in_words
from dbtui.monitor.words import ENDED, FAINT, QUIET, bar, loss_in_words, moment, rate_in_words
from dbtui.safe import safe
from dbtui.states import PHASES, STATES
from dbtui.widths import fitted

if TYPE_CHECKING:
    from core.runs.history import History


NOTICEABLE_SECONDS = 2.0


@dataclass(frozen=True)
class Glance:
    """What is seen at a glance. `phase` is (name, done, total) while something else than training goes on.

    `waited` is how many seconds it has been going on where nothing else tells that it moves; `asked` is what was asked
    of the trainer and not answered yet. `paused_since` is in unix seconds.
    """

    name: str
    state: str
    step: int = 0
    total: int = 0
    epoch: int = 0
    epochs: int = 0
    seconds_left: float | None = None
    loss: float | None = None
    rate: float | None = None
    memory_bytes: int = 0
    images_per_second: float = 0.0
    phase: tuple[str, int, int] | None = None
    waited: float = 0.0
    asked: str = ""
    paused_since: float | None = None


def glance(name: str, history: History, *, now: float, asked: str = "") -> Glance:
    """The figures of `history` that stand at the top; `now` in unix seconds."""
    last, run, phase = history.last_step, history.run, history.phase
    state = history.state
    if history.begins_anew:
        last, run = None, None
    elif history.kept_step != history.step:  # the figures are those of a step that is lost
        last = None
    moves = state not in ENDED and state not in ("paused", "loading", "new")
    begun = owner.started if (owner := history.owner) is not None else now
    going_on: tuple[str, int, int] | None = None
    if phase is not None and phase.name != "training" and state == phase.name:
        going_on, begun = (phase.name, phase.done, phase.total), max(begun, phase.time)
    elif state == "loading":
        going_on = ("libraries", 0, 0)
    per_epoch = run.steps_per_epoch if run is not None else 0
    return Glance(
        name=name,
        state=state,
        step=0 if history.begins_anew else history.kept_step,
        total=0 if history.begins_anew else history.total,
        epoch=last.epoch if last else 0,
        epochs=-(-history.total // per_epoch) if per_epoch else 0,
        seconds_left=history.seconds_left if moves and last else None,
        loss=last.loss if last else None,
        rate=last.main_rate if last else None,
        memory_bytes=last.memory_bytes if last else 0,
        images_per_second=last.images_per_second if last and moves else 0.0,
        phase=going_on,
        waited=now - begun if going_on is not None and going_on[2] <= 1 else 0.0,
        asked=asked,
        paused_since=history.paused_since if state == "paused" else None,
    )


def state_line(glance: Glance, width: int) -> Content:
    """State, step, time left, loss, rate, memory; the last ones go where `width` columns are too few."""
    mark, word, style = STATES.get(glance.state, STATES["unknown"])
    parts = [Content.styled(f"{mark} {word}", f"bold {style}")]
    if glance.paused_since is not None:
        parts.append(_figure(say("figure.since", "since"), moment(glance.paused_since)))
    if glance.asked:
        parts.append(Content(f"{glance.asked} …"))
    if glance.total:
        before, _, after = say("figure.step", "step {reached}").partition("{reached}")
        parts.append(Content.assemble((before, QUIET), f"{glance.step:,}/{glance.total:,}", (after, QUIET)))
    if glance.seconds_left is not None:
        parts.append(_figure(say("figure.left", "left"), duration_in_words(glance.seconds_left)))
    if glance.step and (glance.loss, glance.rate) != (None, None):
        parts.append(_figure(say("figure.loss", "loss"), loss_in_words(glance.loss)))
        parts.append(_figure(say("figure.rate", "rate"), rate_in_words(glance.rate)))
    if glance.memory_bytes:
        parts.append(_figure(say("figure.memory", "memory"), size_in_words(glance.memory_bytes)))
    line = parts[0]
    for part in parts[1:]:
        if line.cell_length + 2 + part.cell_length > width:
            break
        line = line + "  " + part
    return line


def progress_line(glance: Glance, width: int) -> Content:
    """The run's name, a bar, and how far: in steps, or in what is done before the first step."""
    name = safe(glance.name)
    if cell_len(name) > (most := max(8, width // 4)):
        name = fitted(name, most).rstrip()
    fraction, told = _progress(glance)
    room = width - cell_len(name) - cell_len(told) - 4
    if room < 4:
        return Content.styled(name, "bold") + Content(f"  {told}" if told else "")
    filled, empty = bar(fraction, room)
    _, _, style = STATES.get(glance.state, STATES["unknown"])
    return Content.assemble((name, "bold"), "  ", (filled, style), (empty, FAINT), "  ", told)


def _progress(glance: Glance) -> tuple[float, str]:
    if glance.phase is not None:
        name, done, total = glance.phase
        what = PHASES.get(name, safe(name)).lower()
        if name == "resting":
            waited = min(glance.waited, float(total))
            told = say("figure.rest", "{what} {waited} of {whole}", what=what, waited=duration_in_words(waited),
                       whole=duration_in_words(total))  # fmt: skip
            return waited / max(total, 1), told
        if total > 1:
            return done / total, f"{what} {done:,}/{total:,}"
        return 0.0, what if glance.waited < NOTICEABLE_SECONDS else beside((what, duration_in_words(glance.waited)))
    if not glance.total:
        return 0.0, ""
    fraction = glance.step / glance.total
    told = [f"{fraction:.0%}"]
    if glance.epochs and glance.epoch:
        told.append(say("figure.epoch", "epoch {epoch:,} of {epochs:,}", epoch=glance.epoch, epochs=glance.epochs))
    if glance.images_per_second:
        told.append(say("figure.speed", "{speed:.3g} pictures/s", speed=glance.images_per_second))
    return fraction, "  ".join(told)


def _figure(title: str, value: str) -> Content:
    return Content.assemble((f"{title} ", QUIET), value)


class StateLines(Static):
    """Two lines that are sent again only when they say something new."""

    DEFAULT_CSS = "StateLines { height: 2; width: 1fr; padding: 0 1; }"
    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._said: tuple[Glance, int] | None = None

    def tell(self, glance: Glance) -> None:
        width = self.content_size.width
        if width and self._said != (glance, width):
            self._said = (glance, width)
            self.update(state_line(glance, width) + "\n" + progress_line(glance, width), layout=False)


class Notice(Static):
    """What a person should know now: a failure with its advice, a silent owner, how to come back. Hidden if empty."""

    DEFAULT_CSS = """
    Notice { height: auto; max-height: 8; width: 1fr; padding: 0 1; display: none; }
    """

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._said = Content("")

    def tell(self, words: Content) -> None:
        if not self._said.is_same(words):
            self._said = words
            self.display = bool(words.plain)
            self.update(words)
