"""What former runs of a home measured: seconds of a picture, a preview, a save, by their journals."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from core.config.options import RunConfig
from core.events import Checkpoint, Continued, Event, Export, Paused, Phase, RunStarted, Step, Validation, Warned
from core.planning.duration import Pace, sampling_steps, settled_kind
from core.runs.folder import Run, list_runs
from core.runs.journal import JournalTail
from core.texts import UserError

MOST_RUNS = 30
END_BYTES = 1 << 20
WARMING_STEPS = 3
"""The first steps of a life choose kernels and fill caches."""


def former_paces(home: Path) -> tuple[Pace, ...]:
    """Of the runs trained last, the newest first. What cannot be read tells nothing."""
    try:
        runs = [(stamp, run) for run in list_runs(home) if (stamp := _stamp(run)) is not None]
    except UserError:
        return ()
    newest = sorted(runs, key=lambda entry: entry[0], reverse=True)[:MOST_RUNS]
    paces = (_read(run, *stamp) for stamp, run in newest)
    return tuple(pace for pace in paces if pace is not None)


def pace_of(config: RunConfig, events: Sequence[Event]) -> Pace | None:
    """What a run's events tell; `None` where it made too few steps, or they do not say what it trained on."""
    started = next((event for event in reversed(events) if isinstance(event, RunStarted)), None)
    seconds = [1 / event.images_per_second for event in _steady(events) if event.images_per_second > 0]
    if started is None or not seconds:
        return None
    settled = started.settled
    if not {"family", "resolution", "precision"} <= set(settled):
        return None
    class_steps = [concept.prior.steps for concept in config.concepts if concept.prior.images_per_instance]
    return Pace(
        settled_kind(config, device=started.device, family=str(settled["family"]),
                     resolution=int(settled["resolution"]), precision=str(settled["precision"]),
                     processes=int(settled.get("processes", 1))),
        picture=statistics.median(seconds),
        denoising=_each(events, "sampling", sampling_steps(config)),
        class_denoising=_each(events, "class-images", statistics.mean(class_steps) if class_steps else 0),
        save=_median(event.seconds for event in events if isinstance(event, Checkpoint)),
        gap=_gap(events),
        export=_export(events),
        validation=_median(after.time - before.time for before, after in pairwise(events)
                           if isinstance(before, Step) and isinstance(after, Validation)),
        start=_start(events),
    )  # fmt: skip


def _stamp(run: Run) -> tuple[int, int] | None:
    try:
        facts = run.journal_path.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size


@lru_cache(maxsize=4 * MOST_RUNS)
def _read(run: Run, changed: int, size: int) -> Pace | None:
    """`changed` and `size` of the journal: another journal is read anew."""
    try:
        tail = JournalTail(run.journal_path)
        events = tail.poll()
        if tail.behind:
            events += JournalTail(run.journal_path, last_bytes=END_BYTES).poll()
        return pace_of(run.config(), events)
    except (UserError, OSError, ValueError, TypeError):
        return None


def _steady(events: Iterable[Event]) -> Iterator[Step]:
    """The steps of each life but its first."""
    since = 0
    for event in events:
        if isinstance(event, RunStarted):
            since = 0
        elif isinstance(event, Step):
            since += 1
            if since > WARMING_STEPS:
                yield event


def _each(events: Iterable[Event], phase: str, steps: float) -> float | None:
    """Seconds for each denoising step of each picture that was made in this phase."""
    told = [event for event in events if isinstance(event, Phase)]
    made = [((after.time - before.time) / (after.done - before.done)) for before, after in pairwise(told)
            if before.name == after.name == phase and after.done > before.done]  # fmt: skip
    seconds = _median(made)
    return None if seconds is None or not steps else seconds / steps


def _gap(events: Sequence[Event]) -> float | None:
    """Seconds that a save left between two steps, beside what else was done there."""
    saved = {event.step for event in events if isinstance(event, Checkpoint)}
    places = [place for place, event in enumerate(events) if isinstance(event, Step)]
    pairs = [(events[place], list(events[place + 1 : then]), events[then]) for place, then in pairwise(places)]
    paired = [(one, between, after) for one, between, after in pairs
              if isinstance(one, Step) and isinstance(after, Step) and after.step == one.step + 1]  # fmt: skip
    pictures = _median((after.time - one.time) * after.images_per_second
                       for one, between, after in paired if not between and one.step not in saved)  # fmt: skip
    if pictures is None:
        return None
    gaps = [_left(one, between, after, pictures) for one, between, after in paired
            if one.step in saved and after.images_per_second > 0]  # fmt: skip
    known = [gap for gap in gaps if gap is not None]
    return statistics.median(known) if known else None


def _left(one: Step, between: Iterable[Event], after: Step, pictures: float) -> float | None:
    """Of the time between these steps that of the save; `None` where people or warnings came between."""
    begun = one.time
    for event in between:
        if _is_phase(event, "exporting"):
            return max(0.0, event.time - begun)
        if isinstance(event, Paused | Continued | Warned | RunStarted) or _is_phase(event, "resting"):
            return None
        if not isinstance(event, Checkpoint):  # previews and validations come before the save
            begun = event.time
    return max(0.0, after.time - pictures / after.images_per_second - begun)


def _export(events: Iterable[Event]) -> float | None:
    """Seconds for each byte of what was exported."""
    timed = [
        (after, after.time - before.time)
        for before, after in pairwise(events)
        if isinstance(after, Export) and (isinstance(before, Export) or _is_phase(before, "exporting"))
    ]
    return _median(seconds / written.bytes for written, seconds in timed if written.bytes)


def _is_phase(event: Event, name: str) -> bool:
    return isinstance(event, Phase) and event.name == name


def _start(events: Sequence[Event]) -> float | None:
    """From the beginning of the first life to its training, without the class pictures."""
    begun = next((event.time for event in events if isinstance(event, RunStarted)), None)
    phases = [event for event in events if isinstance(event, Phase)]
    first = next((event.time for event in phases if event.name == "training"), None)
    if begun is None or first is None or first < begun:
        return None
    before = [event for event in phases if event.time <= first]
    made = sum(after.time - one.time for one, after in pairwise(before) if one.name == "class-images")
    return max(0.0, first - begun - made)


def _median(figures: Iterable[float]) -> float | None:
    found = [figure for figure in figures if figure > 0]
    return statistics.median(found) if found else None
