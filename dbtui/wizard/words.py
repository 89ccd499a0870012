"""The plan in words: what will be read, trained, saved, and what it takes."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from core.demo.source import is_demo
from core.machine import Card
from core.planning.facts import Facts
from core.planning.plan import Plan
from core.texts import beside, counted, joined, listed, say, size_in_words
from dbtui.planned import Rows, disk_in_words, saves_rows, steps_rows, time_rows
from dbtui.safe import safe
from dbtui.wizard.context import WizardContext
from dbtui.wizard.explaining import preset_title
from dbtui.wizard.notes import family_title

MOST_CARDS = 3
"""That are not used, each in a line of its own."""
ALREADY_FULL = 0.5
"""A card with less than this share of its memory free is in use by others."""


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
        looking = say("plan.looking", "Looking at the pictures …")
        return [("", looking if busy else say("plan.none", "There is no plan yet: mend what stands above first."))]
    return [*_what(context, facts), *_pictures(plan), *steps_rows(plan), *saves_rows(context.config, plan),
            *time_rows(context.duration()), *_device(context, facts), *_needs(facts, plan)]  # fmt: skip


def _device(context: WizardContext, facts: Facts) -> Rows:
    """What trains it; which cards of several, how full each is, and the key that chooses."""
    machine = facts.machine
    if machine is None:
        return []
    title = say("plan.device", "Device")
    if machine.device != "cuda":
        slow = facts.description is None or not is_demo(facts.description.source)
        cpu = say("plan.cpu", "CPU: no graphics card; a real model takes hours to days") if slow else "CPU"
        return [(title, cpu)]
    used = free_in_words(machine.gpu_free, machine.gpu_memory)
    groups = context.groups
    if not groups:
        return [(title, say("plan.card", "{card}, {free}", card=safe(machine.gpu), free=used))]
    everything = [card for group in groups for card in group if len(group) == 1]
    others = [card for card in everything if card.id not in context.cards]
    said = [say("plan.card", "{card}, {free}", card=safe(card.name), free=free_in_words(card.free, card.memory))
            for card in machine.cards]  # fmt: skip
    rest = [say("plan.card.left", "not used: {card}, {free}", card=safe(card.name),
                free=free_in_words(card.free, card.memory)) for card in others]  # fmt: skip
    more = rest[:MOST_CARDS] if len(rest) <= MOST_CARDS else [
        say("plan.cards.more", "not used: {count} more", count=len(rest))
    ]  # fmt: skip
    choose = say("plan.cards.choose", "c chooses another one, or several")
    return [(title if not number else "", text) for number, text in enumerate((*said, *more, choose))]


def free_in_words(free: int, whole: int) -> str:
    """How much of a card's memory is free; and that it is full, where it is."""
    said = say("cards.free", "{free} of {whole} free", free=size_in_words(free), whole=size_in_words(whole))
    if free < ALREADY_FULL * whole:
        return say("cards.full", "{free}: in use", free=said)
    return said


def group_title(group: tuple[Card, ...]) -> str:
    """As a list of choices names it: one card, or how many."""
    if len(group) == 1:
        return safe(group[0].name)
    names = joined(dict.fromkeys(safe(card.name) for card in group))
    return say("cards.several", "{count} cards together: {names}", count=len(group), names=names)


def group_help(group: tuple[Card, ...], present: tuple[str, ...]) -> str:
    """How full it is, and whether it is the one that is chosen."""
    said = free_in_words(min(card.free for card in group), min(card.memory for card in group))
    if tuple(card.id for card in group) == present:
        return say("cards.chosen", "{free} · chosen", free=said)
    return said


def _what(context: WizardContext, facts: Facts) -> Rows:
    source, model = facts.description, context.config.model
    family = [family_title(source.family)] if source is not None else []
    chosen = context.presets.get(context.preset)
    preset = say("plan.preset.none", "none, what the program begins with")
    if is_demo(model.source):
        preset = say("plan.preset.none", "none, what suits the small model of the program")
    if chosen is not None:
        preset = preset_title(chosen)
    elif context.copy_of:
        preset = say("plan.preset.copy", "none, a copy of {run}", run=safe(context.copy_of))
    return [(say("plan.run", "Run"), safe(model.name)), (say("plan.preset", "Preset"), preset),
            (say("plan.model", "Model"), beside((*family, safe(model.source))))]  # fmt: skip


def _pictures(plan: Plan) -> Rows:
    rows = []
    for concept in plan.concepts:
        repeated = f" × {concept.repeats}" if concept.repeats > 1 else ""
        text = say("plan.pictures", "{pictures} of yours{repeated}", repeated=repeated,
                   pictures=counted(concept.pictures, "picture"))  # fmt: skip
        if concept.class_wanted:
            wanted = counted(concept.class_wanted, "class picture")
            if concept.class_missing:
                prior = say("plan.class-missing", "{wanted}, {missing:,} to make first", wanted=wanted,
                            missing=concept.class_missing)  # fmt: skip
            else:
                prior = say("plan.class-there", "{wanted}, all there", wanted=wanted)
            text = say("plan.with-class", "{yours}; {prior}", yours=text, prior=prior)
        rows.append((safe(concept.name), text))
    return rows


def _needs(facts: Facts, plan: Plan) -> Rows:
    rows: Rows = []
    if disk := disk_in_words(facts, plan):
        rows.append((say("plan.disk", "Disk"), disk))
    if plan.memory is not None:
        machine = facts.machine
        memory = say("plan.memory.about", "about {size}", size=size_in_words(plan.memory.total))
        if machine is not None:
            on_gpu = machine.device == "cuda"
            amount = machine.gpu_memory if on_gpu else machine.memory
            place = safe(machine.gpu) if on_gpu else say("plan.memory.here", "this computer")
            memory = say("plan.memory.has", "{needed}; {place} has {size}", needed=memory, place=place,
                         size=size_in_words(amount))  # fmt: skip
        rows.append((say("plan.memory", "Memory"), memory))
        rows.append(("", listed(plan.memory.parts_in_words, 6)))
    return rows
