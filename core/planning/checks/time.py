"""How long, and what happens when: lengths and intervals that never come to pass."""

from __future__ import annotations

from collections.abc import Iterator

from core.choices.schedulers import SCHEDULERS
from core.config.findings import Finding, Fix, Level
from core.config.options import IntervalOptions, RunConfig
from core.planning.facts import Facts
from core.planning.plan import make_plan
from core.texts import counted, message

MANY_STEPS = 50_000
"""Ten times what a face is taught with, by far."""


def length(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """A digit too many is easily typed."""
    plan = make_plan(config, facts)
    if plan is None or plan.steps < MANY_STEPS:
        return
    field = "intervals.max_steps" if config.intervals.max_steps else "intervals.epochs"
    yield Finding(Level.WARNING, field, message(
        "steps.many", "{steps:,} steps are very many: what you teach is usually learned within 500 to 5,000, and "
        "spoilt by too many.", mend="Has one digit too many been typed?", steps=plan.steps))  # fmt: skip


def warmup(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """The warm-up is not longer than the run."""
    plan = make_plan(config, facts)
    if plan is None or not SCHEDULERS[config.learning_rate.scheduler].warms_up or plan.warmup <= plan.steps:
        return
    tenth = Fix(message("fix.warmup", "Warm up over 10% of the run"), {"learning_rate.warmup_steps": "10%"})
    none = Fix(message("fix.no-warmup", "No warm-up"), {"learning_rate.warmup_steps": 0})
    yield Finding(Level.ERROR, "learning_rate.warmup_steps", message(
        "warmup.long", "The warm-up takes {warmup} and the run has only {steps}: the full rate would never be "
        "reached.", mend='A tenth of the run ("10%") is usual.', warmup=counted(plan.warmup, "update"),
        steps=counted(plan.steps, "step")), (tenth, none))  # fmt: skip


def intervals(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """What is to happen every so often should happen at least once."""
    plan = make_plan(config, facts)
    if plan is None:
        return
    every = config.intervals
    for what, wanted in (("save", True), ("sample", any(concept.sample.count for concept in config.concepts))):
        for unit, length in (("epochs", plan.epochs), ("steps", plan.steps)):
            interval = getattr(every, f"{what}_every_{unit}")
            per = {"epochs": plan.steps_per_epoch, "steps": 1}
            if not wanted or interval * per[unit] <= plan.steps:
                continue
            other = "steps" if unit == "epochs" else "epochs"
            instead = getattr(every, f"{what}_every_{other}")
            if 0 < instead * per[other] <= plan.steps:
                yield Finding(Level.HINT, f"intervals.{what}_every_{unit}", message(
                    "interval.never", "Every {interval} never comes: the run has {length}. Every {instead} counts.",
                    mend="Set it to 0.", interval=_in_units(interval, unit), instead=_in_units(instead, other),
                    length=_in_units(length, unit)),
                    (_set(f"intervals.{what}_every_{unit}", 0),))  # fmt: skip
            else:
                yield _never(f"intervals.{what}_every_{unit}", what, unit, interval, length, every.sample_at_start)
    if every.validate_every_steps > plan.steps:
        yield Finding(Level.HINT, "intervals.validate_every_steps", message(
            "validate.ends-only", "Validation every {interval:,} steps is longer than the run of {steps:,} steps: "
            "it is measured at the start and at the end only.",
            mend="Take a shorter interval to see a curve, or 0 to turn it off.",
            interval=every.validate_every_steps, steps=plan.steps),
            (_set("intervals.validate_every_steps", max(1, plan.steps // 10)),
             _set("intervals.validate_every_steps", 0)))  # fmt: skip


def epochs(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """A run counted in steps does not look at the epochs."""
    every = config.intervals
    if every.max_steps and every.epochs != IntervalOptions().epochs:
        yield Finding(Level.HINT, "intervals.epochs", message(
            "epochs.unused", "{epochs:,} epochs do nothing: the run ends after {steps:,} steps.",
            mend="Set the steps to 0 if the epochs shall decide.", epochs=every.epochs, steps=every.max_steps),
            (Fix(message("fix.epochs-decide", "Let the epochs decide"), {"intervals.max_steps": 0}),))  # fmt: skip


def rests(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """A rest needs both its interval and its length."""
    every = config.intervals
    if bool(every.pause_every_epochs) == bool(every.pause_seconds):
        return
    given, missing, both = ("pause_seconds", "pause_every_epochs", Fix(message(
        "fix.rest-often", "Rest after each epoch"), {"intervals.pause_every_epochs": 1}))  # fmt: skip
    if every.pause_every_epochs:
        given, missing, both = ("pause_every_epochs", "pause_seconds", Fix(message(
            "fix.rest-long", "Rest for a minute"), {"intervals.pause_seconds": 60.0}))  # fmt: skip
    yield Finding(Level.WARNING, f"intervals.{given}", message(
        "rest.half", "There are no rests: {given} does nothing while {missing} is 0.",
        mend="Set both, or none.", given=given, missing=missing),
        (both, _set(f"intervals.{given}", 0)))  # fmt: skip


def previews(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Options of previews that are turned off."""
    every = config.intervals
    for number, concept in enumerate(config.concepts):
        sample = concept.sample
        if sample.count == 0 and (sample.prompt or sample.negative_prompt):
            yield Finding(Level.WARNING, f"concepts.{number}.sample.prompt", message(
                "sample.prompt-unused", "The preview prompts do nothing: this concept makes 0 previews.",
                mend="Ask for at least one, or leave them empty."),
                (_set(f"concepts.{number}.sample.count", 1),))  # fmt: skip
        if sample.count == 0 and sample.with_class:
            yield Finding(Level.WARNING, f"concepts.{number}.sample.with_class", message(
                "sample.class-unused", "There are no previews for the class's to stand beside: this concept makes 0.",
                mend="Ask for at least one, or turn it off."),
                (_set(f"concepts.{number}.sample.count", 1), _off(f"concepts.{number}.sample.with_class")))  # fmt: skip
    off = not any(concept.sample.count for concept in config.concepts)
    asked = [name for name in ("sample_every_epochs", "sample_every_steps", "sample_at_start") if getattr(every, name)]
    if off and asked:
        yield Finding(Level.HINT, f"intervals.{asked[0]}", message(
            "sample.none", "No previews are made: every concept asks for 0 pictures.",
            mend="Without previews you cannot see when to stop."), (_set("concepts.0.sample.count", 1),))  # fmt: skip


CHECKS = (length, warmup, intervals, epochs, rests, previews)


def _never(field: str, what: str, unit: str, interval: int, length: int, at_start: bool) -> Finding:
    values = {"interval": _in_units(interval, unit), "length": _in_units(length, unit)}
    if what == "save":
        said = message("save.never", "Saving every {interval} never happens: the run has {length}. It would only save "
                       "at the end.", mend="Take a shorter interval, or 0 to turn it off.", **values)  # fmt: skip
    elif at_start:
        said = message("sample.ends-only", "Previews every {interval} are made at the start and at the end only: the "
                       "run has {length}.", mend="Take a shorter interval to see it learn, or 0 to turn it off.",
                       **values)  # fmt: skip
    else:
        said = message("sample.never", "Previews every {interval} are made at the end only: the run has {length}.",
                       mend="Take a shorter interval to see it learn, or 0 to turn it off.", **values)  # fmt: skip
    fixes = [_set(field, max(1, length // parts)) for parts in ((4, 2) if what == "save" else (10, 4)) if length > 1]
    unique = {tuple(fix.changes.items()): fix for fix in (*fixes, _set(field, 0))}
    return Finding(Level.WARNING, field, said, tuple(unique.values()))


def _in_units(number: int, unit: str) -> str:
    return counted(number, "epoch") if unit == "epochs" else counted(number, "step")


def _set(field: str, value: int) -> Fix:
    return Fix(message("fix.set", "Set it to {value}" if value else "Turn it off", value=value), {field: value})


def _off(field: str) -> Fix:
    return Fix(message("fix.off", "Turn it off"), {field: False})
