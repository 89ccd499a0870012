"""What a run will do, in the words of the wizard's review and of `dbtui check`."""

from __future__ import annotations

from core.config.options import RunConfig
from core.planning.duration import Duration
from core.planning.facts import Facts
from core.planning.plan import Plan
from core.texts import beside, counted, duration_in_words, joined, listed, say, size_in_words

Rows = list[tuple[str, str]]
"""Title and text, one a line."""


def steps_rows(plan: Plan) -> Rows:
    """How many, of what shapes, and how long the text encoder learns."""
    length = say("plan.length", "{steps:,} = {epochs} of {per_epoch}, {pictures} a step", steps=plan.steps,
                 epochs=counted(plan.epochs, "epoch"), per_epoch=counted(plan.steps_per_epoch, "step"),
                 pictures=counted(plan.images_per_step, "picture"))  # fmt: skip
    rows = [(say("plan.steps", "Steps"), length)]
    if len(plan.buckets) > 1:
        shapes = (
            say("plan.shape", "{size}: {count:,}", size=bucket.size.words, count=bucket.samples)
            for bucket in plan.buckets
            if bucket.size
        )
        rows.append((say("plan.shapes", "Shapes"), listed(shapes)))
    if plan.text_encoder_steps:
        whole = plan.text_encoder_steps >= plan.steps
        trained = (
            say("plan.text-encoder.whole", "trains for the whole run")
            if whole
            else say("plan.text-encoder.trains", "trains for the first {steps:,} steps", steps=plan.text_encoder_steps)
        )
    else:
        trained = say("plan.text-encoder.stays", "stays as it is")
    return [*rows, (say("plan.text-encoder", "Text encoder"), trained)]


def saves_rows(config: RunConfig, plan: Plan) -> Rows:
    """The states that are saved, and the previews."""
    kept = min(plan.save_steps, config.saving.keep_checkpoints)
    states = counted(plan.save_steps, "state")
    if plan.checkpoint_bytes is None:
        states = say("plan.saves.unknown", "{states}, of a size unknown until the model is here", states=states)
    else:
        states = say("plan.saves.each", "{states}, {size} each", states=states,
                     size=size_in_words(plan.checkpoint_bytes))  # fmt: skip
    saves = say("plan.saves.kept", "{states}; the last {kept} kept", states=states, kept=kept)
    previews = say("plan.previews.times", "{times}, {pictures} in all", times=counted(plan.sample_steps, "time"),
                   pictures=counted(plan.sample_pictures, "picture"))  # fmt: skip
    none = say("plan.previews.none", "only when you ask")
    return [(say("plan.saves", "Saves"), saves),
            (say("plan.previews", "Previews"), previews if plan.sample_pictures else none)]  # fmt: skip


def time_rows(took: Duration | None) -> Rows:
    """Minutes, the parts apart; only where a former run of the same kind tells."""
    title = say("plan.time", "Time")
    if took is None:
        return [(title, say("plan.time.unknown", "unknown until the first steps: no run of this kind has been trained "
                            "here yet"))]  # fmt: skip
    about = say("plan.time.about", "about {time}, as a former run went", time=roughly(took.total))
    if not took.is_whole:
        about = say("plan.time.at-least", "{time} or more, as a former run went", time=roughly(took.total))
    named = (
        (took.start, say("plan.time.start", "start")), (took.class_pictures, say("plan.time.class", "class pictures")),
        (took.training, say("plan.time.training", "training")), (took.previews, say("plan.time.previews", "previews")),
        (took.saves, say("plan.time.saves", "saves")), (took.exports, say("plan.time.exports", "exports")),
        (took.validations, say("plan.time.validations", "validations")), (took.rests, say("plan.time.rests", "rests")),
    )  # fmt: skip
    parts = [say("plan.time.part", "{what} {time}", what=what, time=roughly(seconds))
             for seconds, what in named if seconds]  # fmt: skip
    unknown = [what for seconds, what in named if seconds is None]
    if unknown:
        parts.append(say("plan.time.not-known", "not known: {what}", what=joined(unknown)))
    return [(title, about), ("", beside(parts))]


def roughly(seconds: float) -> str:
    """As exact as an estimate is: `40 s`, `4 min`, `2 h 10 min`."""
    if 90 <= seconds < 3600:
        return say("duration.about", "{minutes} min", minutes=round(seconds / 60))
    return duration_in_words(seconds)


def disk_in_words(facts: Facts, plan: Plan) -> str:
    """What it takes at most, and what is free; empty where that cannot be known yet."""
    if plan.disk_bytes is None:
        return ""
    disk = say("plan.disk.up-to", "up to {size}", size=size_in_words(plan.disk_bytes))
    if facts.free_bytes is None:
        return disk
    return say("plan.disk.free", "{needed}; {size} free", needed=disk, size=size_in_words(facts.free_bytes))
