"""Optimizer, weights and their average: what cannot go together, and options that would do nothing."""

from __future__ import annotations

from collections.abc import Iterator

from core.choices.optimizers import OPTIMIZERS
from core.config.findings import Finding, Fix, Level
from core.config.options import PerformanceOptions, RunConfig
from core.config.table import find_option
from core.planning.facts import Facts
from core.planning.memory import optimizer_of, precision_of, weights_of
from core.texts import message, say

FP32 = Fix(message("fix.fp32-weights", "Keep the weights in fp32"), {"performance.weights": "fp32"})
ADAMW = Fix(message("fix.optimizer", "Use {title}", title=OPTIMIZERS["adamw"].title),
            {"performance.optimizer": "adamw"})  # fmt: skip


def numbers(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Betas and epsilon only count where the optimizer takes them."""
    chosen = optimizer_of(config, facts.machine)
    for name in ("betas", "eps"):
        if getattr(config.performance, name) != "auto" and name not in chosen.takes:
            path = f"performance.{name}"
            yield Finding(Level.WARNING, path, message(
                "optimizer.option-unused", "{option}: this does nothing, because {optimizer} does not use it.",
                mend="Put it back to auto.", option=find_option(path).title, optimizer=chosen.title),
                (Fix(message("fix.back", "Put it back"), {path: "auto"}),))  # fmt: skip


def one_rate(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """An optimizer that finds the rate finds one for everything."""
    own, rate = config.performance.text_encoder_rate, config.rate
    chosen = optimizer_of(config, facts.machine)
    if chosen.finds_rate and own not in (0, rate) and config.performance.text_encoder_ratio > 0:
        yield Finding(Level.ERROR, "performance.text_encoder_rate", message(
            "optimizer.one-rate", "{optimizer} finds one rate for all that is trained: the text encoder cannot have "
            "its own.", mend="Set the text encoder's rate to 0, or choose another optimizer.", optimizer=chosen.title),
            (Fix(message("fix.zero", "Set it to 0"), {"performance.text_encoder_rate": 0.0}), ADAMW))  # fmt: skip


def weights(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Weights in bf16: not for adapters, only with arithmetic in bf16, not with every optimizer."""
    if config.performance.weights != "bf16":
        return
    if weights_of(config) != "bf16":
        yield Finding(Level.WARNING, "performance.weights", message(
            "weights.unused", "Trained weights in bf16: this does nothing, because a LoRA's matrices are always in "
            "fp32.", mend="Put it back; the model beside them is held as mixed precision says."),
            (FP32,))  # fmt: skip
        return
    if (precision := precision_of(config, facts.machine)) != "bf16":
        yield Finding(Level.ERROR, "performance.mixed_precision", message(
            "weights.precision", "Weights in bf16 need arithmetic in bf16, not {precision}.",
            mend="Set mixed precision to bf16, or keep the weights in fp32.", precision=precision),
            (Fix(message("fix.precision", "Use {name}", name="bf16"), {"performance.mixed_precision": "bf16"}),
             FP32))  # fmt: skip
    chosen = optimizer_of(config, facts.machine)
    if not chosen.steps_parts:
        yield Finding(Level.ERROR, "performance.optimizer", message(
            "weights.optimizer", "{optimizer} looks at all weights at once, but weights in bf16 are updated a part at "
            "a time.", mend="Keep the weights in fp32, or choose another optimizer.", optimizer=chosen.title),
            (FP32, ADAMW))  # fmt: skip


def average(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """What is done with an average of the weights needs one, and something to show or write."""
    options, saving = config.performance, config.saving
    average_on = Fix(message("fix.ema", "Keep an average of the weights"), {"performance.ema": True})
    changed = {
        "performance.ema_decay": options.ema_decay != PerformanceOptions().ema_decay,
        "performance.ema_previews": options.ema_previews,
        "saving.include_ema": saving.include_ema,
    }
    usual = {"performance.ema_decay": PerformanceOptions().ema_decay, "performance.ema_previews": False,
             "saving.include_ema": False}  # fmt: skip
    idle = {
        "performance.ema_previews": not any(concept.sample.count for concept in config.concepts),
        "saving.include_ema": not (saving.export_when_done or saving.on_cancel or saving.on_save),
    }
    for path in (path for path, is_changed in changed.items() if is_changed):
        back = Fix(message("fix.back", "Put it back"), {path: usual[path]})
        title = find_option(path).title
        if not options.ema:
            yield Finding(Level.WARNING, path, message(
                "ema.unused", "{option}: this does nothing, because no average of the weights is kept.",
                mend="Turn the average on, or put it back.", option=title), (average_on, back))  # fmt: skip
        elif idle.get(path):
            things = say("ema.previews", "previews") if path.endswith("previews") else say("ema.exports", "exports")
            yield Finding(Level.WARNING, path, message(
                "ema.nothing-to-do", "{option}: this does nothing, because the run makes no {things}.",
                mend="Put it back, or let it make some.", option=title,
                things=things), (back,))  # fmt: skip


CHECKS = (numbers, one_rate, weights, average)
