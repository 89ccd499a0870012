"""The plan in words: what will be read, trained, saved, and what it takes."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from core.config.options import RunConfig
from core.demo.source import is_demo
from core.planning.facts import Facts
from core.planning.plan import Plan
from core.texts import counted, listed, size_in_words
from dbtui.safe import safe
from dbtui.wizard.context import WizardContext
from dbtui.wizard.notes import family_title

Rows = list[tuple[str, str]]
"""Title and text, one a line."""


CPU = "CPU: no graphics card; a real model takes days"


class PlanLines(Vertical):
    """The plan: titles on the left, words on the right."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: Rows = []

    def compose(self) -> ComposeResult:
        for title, text in self.lines:
            with Horizontal():
                yield Static(title, classes="title", markup=False)
                yield Static(text, classes="text", markup=False)

    def show(self, lines: Rows) -> None:
        """Show `lines`; nothing is drawn where they are the same as before."""
        if lines != self.lines:
            self.lines = lines
            self.refresh(recompose=True)


def plan_in_words(context: WizardContext, busy: bool) -> Rows:
    """Pictures, class pictures, steps, text encoder, saves, device, disk, memory."""
    facts, plan = context.facts, context.plan()
    if facts is None or plan is None:
        return [("", "Looking at the pictures …" if busy else "There is no plan yet: mend what stands above first.")]
    return [*_what(context.config, facts), *_pictures(plan), *_steps(plan), *_saves(context.config, plan),
            *_needs(facts, plan)]  # fmt: skip


def _what(config: RunConfig, facts: Facts) -> Rows:
    source = facts.description
    family = f"{family_title(source.family)}, " if source is not None else ""
    return [("Run", safe(config.model.name)), ("Model", family + safe(config.model.source))]


def _pictures(plan: Plan) -> Rows:
    rows = []
    for concept in plan.concepts:
        repeated = f" × {concept.repeats}" if concept.repeats > 1 else ""
        text = f"{counted(concept.pictures, 'picture')} of yours{repeated}"
        if concept.class_wanted:
            missing = f", {concept.class_missing:,} to make first" if concept.class_missing else ", all there"
            text += f"; {counted(concept.class_wanted, 'class picture')}{missing}"
        rows.append((safe(concept.name), text))
    return rows


def _steps(plan: Plan) -> Rows:
    batch = f"{counted(plan.images_per_step, 'picture')} a step"
    epochs = f"{counted(plan.epochs, 'epoch')} of {counted(plan.steps_per_epoch, 'step')}"
    rows = [("Steps", f"{plan.steps:,} = {epochs}, {batch}")]
    if len(plan.buckets) > 1:
        shapes = (f"{bucket.size.words}: {bucket.samples:,}" for bucket in plan.buckets if bucket.size)
        rows.append(("Shapes", listed(shapes)))
    if plan.text_encoder_steps:
        rows.append(("Text encoder", f"trains for the first {plan.text_encoder_steps:,} steps"))
    else:
        rows.append(("Text encoder", "stays as it is"))
    return rows


def _saves(config: RunConfig, plan: Plan) -> Rows:
    kept = min(plan.save_steps, config.saving.keep_checkpoints)
    size = f", {size_in_words(plan.checkpoint_bytes)} each" if plan.checkpoint_bytes is not None else ""
    rows = [("Saves", f"{counted(plan.save_steps, 'state')}{size}; the last {kept} kept")]
    previews = f"{counted(plan.sample_steps, 'time')}, {counted(plan.sample_pictures, 'picture')} in all"
    rows.append(("Previews", previews if plan.sample_pictures else "only when you ask"))
    return rows


def _needs(facts: Facts, plan: Plan) -> Rows:
    rows = []
    if facts.machine is not None:
        cpu = "CPU" if facts.description is not None and is_demo(facts.description.source) else CPU
        rows.append(("Device", safe(facts.machine.gpu) if facts.machine.device == "cuda" else cpu))
    if plan.disk_bytes is not None:
        free = f"; {size_in_words(facts.free_bytes)} free" if facts.free_bytes is not None else ""
        rows.append(("Disk", f"up to {size_in_words(plan.disk_bytes)}{free}"))
    if plan.memory is not None:
        machine = facts.machine
        has = ""
        if machine is not None:
            on_gpu = machine.device == "cuda"
            amount = machine.gpu_memory if on_gpu else machine.memory
            place = safe(machine.gpu) if on_gpu else "this computer"
            has = f"; {place} has {size_in_words(amount)}"
        rows.append(("Memory", f"about {size_in_words(plan.memory.total)}{has}"))
        rows.append(("", listed((f"{size_in_words(count)} {what}" for what, count in plan.memory.parts), 6)))
    return rows
