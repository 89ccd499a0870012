"""What the machine can do: optimizer, precision, memory, disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from core.choices.attention import ATTENTIONS, problem
from core.choices.optimizers import OPTIMIZERS, settle, without_cuda
from core.config.findings import Finding, Fix, Level
from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.planning.facts import Facts
from core.planning.memory import device_of, precision_of
from core.planning.plan import make_plan, memory_of
from core.planning.remedies import FOR_MEMORY, FOR_THE_DISK, Case, Remedy
from core.texts import apart, message, say, size_in_words

LITTLE_MEMORY = 12_000_000_000
"""Below this a device has no room for a text encoder beside the U-Net."""
NEARLY_FULL = 0.9


def optimizer(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """An optimizer whose library is missing is refused, also where `auto` would take it."""
    if facts.machine is None:
        return
    chosen = OPTIMIZERS[settle(config.performance.optimizer, device_of(facts.machine))]
    if chosen.needs_cuda and facts.machine.device != "cuda":
        other = OPTIMIZERS[without_cuda(chosen.id)]
        yield Finding(Level.ERROR, "performance.optimizer", message(
            "optimizer.needs-cuda", "The optimizer {optimizer} needs a CUDA GPU: it is there to spare its memory.",
            mend="Choose {other}.", optimizer=chosen.id, other=other.id),
            (Fix(message("fix.optimizer", "Use {title}", title=other.title),
                 {"performance.optimizer": other.id}),))  # fmt: skip
    missing = [module for module in chosen.needs if module in facts.missing_modules]
    if missing:
        others = [entry for entry in OPTIMIZERS.values() if not facts.missing_modules.intersection(entry.needs)
                  and not (entry.needs_cuda and facts.machine.device != "cuda")]  # fmt: skip
        yield Finding(Level.ERROR, "performance.optimizer", message(
            "optimizer.unavailable", "The optimizer {optimizer} needs {modules}, which is not installed here.",
            mend="Install it with `pip install {modules}`, or choose another optimizer.", optimizer=chosen.id,
            modules=" ".join(missing)),
            tuple(Fix(message("fix.optimizer", "Use {title}", title=entry.title), {"performance.optimizer": entry.id})
                  for entry in others))  # fmt: skip


def precision(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """fp16 is for GPUs; bf16 for what has it in hardware.

    torch 2.13 does train with fp16 on a CPU, but without kernels of its own: a 3×3 convolution of 320 channels on
    64 × 64 took 33 s forward and backward, 0.12 s in fp32 and 0.05 s in bf16 on the same core.
    """
    machine = facts.machine
    if machine is None:
        return
    chosen = precision_of(config, machine)
    if chosen == "fp16" and machine.device == "cpu":
        better = ("bf16", "no") if machine.knows_bf16 else ("no",)
        yield Finding(Level.ERROR, "performance.mixed_precision", message(
            "precision.fp16-on-cpu", "fp16 on a processor is hundreds of times slower than {better}: it is meant for "
            "GPUs.", mend="Choose {better}.", better=better[0]),
            tuple(_precision(name) for name in better))  # fmt: skip
    elif chosen == "bf16" and not machine.knows_bf16:
        other = "no" if machine.device == "cpu" else "fp16"
        yield Finding(Level.WARNING, "performance.mixed_precision", message(
            "precision.no-bf16", "This {device} has no bf16 arithmetic of its own: it is imitated and slow.",
            mend="{other} is the better choice here.", other=other,
            device=machine.gpu or say("memory.processor", "processor")),
            (_precision(other),))  # fmt: skip
    elif chosen == "no" and machine.device == "cuda":
        faster = "bf16" if machine.knows_bf16 else "fp16"
        yield Finding(Level.HINT, "performance.mixed_precision", message(
            "precision.slow", "Without mixed precision a GPU trains two to four times slower.",
            mend="Choose {faster}, unless you need exactness.", faster=faster), (_precision(faster),))  # fmt: skip


def attention(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """A way to compute attention that is not installed, too old, or meant for GPUs; whether it runs is tried later."""
    if facts.machine is None:
        return
    asked = config.performance.attention
    entry = ATTENTIONS.get(asked)
    error = problem(asked, facts.machine.device, facts.versions.get(entry.needs) if entry else None)
    if error is not None:
        yield Finding(Level.ERROR, "performance.attention", error.message, (_attention("auto"),))
    elif entry is not None and config.performance.deterministic and not entry.repeats:
        yield Finding(Level.ERROR, "performance.attention", message(
            "attention.not-repeatable", "{title} does not give the same bits each time, and the run is to be "
            "deterministic.", mend="Choose sdpa.", title=entry.title), (_attention("sdpa"),))  # fmt: skip


def memory(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Weights, gradients and optimizer state must fit; activations, an estimate, should."""
    machine, need = facts.machine, memory_of(config, facts)
    if machine is None or need is None:
        return
    shares = 1 if machine.device == "cuda" else facts.processes_here  # processes on a CPU share its memory
    holds = (machine.gpu_memory if machine.device == "cuda" else machine.memory) // shares
    free = (machine.gpu_free if machine.device == "cuda" else machine.memory_available) // shares
    if not holds:
        return
    where = say("plan.memory.here", "this computer")
    if shares > 1:
        where = say("memory.shares", "each of {count} processes here", count=shares)
    values = {"need": size_in_words(need.total), "fixed": size_in_words(need.fixed), "holds": size_in_words(holds),
              "free": size_in_words(free), "where": machine.gpu or where}  # fmt: skip

    def bytes_of(changed: RunConfig) -> int:
        other = memory_of(changed, facts)
        return other.total if other is not None else need.total

    fixes = _helpful(_case(config, facts), bytes_of, FOR_MEMORY)
    advice = "In order of effect: {advice}." if fixes else "Use a machine with more memory."
    values["advice"] = apart(fix.label.text for fix in fixes)
    field = _field_of(fixes, "performance.gradient_checkpointing")
    if need.fixed > holds:
        yield Finding(Level.ERROR, field, message(
            "memory.too-small", "The weights, gradients and optimizer state alone take {fixed}; {where} has {holds} "
            "of memory.", mend=advice, **values), fixes)  # fmt: skip
    elif need.total > holds:
        yield Finding(Level.WARNING, field, message(
            "memory.tight", "Training will take about {need} (an estimate); {where} has {holds} of memory.",
            mend=advice, **values), fixes)  # fmt: skip
    elif need.total > free:
        yield Finding(Level.WARNING, field, message(
            "memory.in-use", "Training will take about {need} (an estimate); {where} has {holds} of memory, but only "
            "{free} of it are free now.", mend="Close other programs. " + advice, **values), fixes)  # fmt: skip
    elif machine.device == "cuda" and machine.memory and need.host * facts.processes_here > machine.memory:
        values = {"need": size_in_words(need.host * facts.processes_here), "holds": size_in_words(machine.memory)}
        if facts.processes_here == 1:
            yield Finding(Level.WARNING, "", message(
                "memory.host", "Beside the GPU's memory, training will take about {need} of the computer's own (an "
                "estimate), which has {holds}.", mend="Close other programs, or add swap space.",
                **values))  # fmt: skip
        else:
            yield Finding(Level.WARNING, "", message(
                "memory.host-shared", "Beside the GPUs' memory, the {count} processes here will take about {need} of "
                "the computer's own together (an estimate), which has {holds}.",
                mend="Close other programs, add swap space, or train with fewer processes.",
                count=facts.processes_here, **values))  # fmt: skip
    elif config.performance.text_encoder_ratio > 0 and holds < LITTLE_MEMORY and need.total > NEARLY_FULL * holds:
        yield Finding(Level.HINT, "performance.text_encoder_ratio", message(
            "text-encoder.memory", "With {holds} of memory the text encoder is usually left alone.",
            mend="Set its ratio to 0.", holds=values["holds"]),
            (Fix(message("fix.no-text-encoder", "Do not train the text encoder"),
                 {"performance.text_encoder_ratio": 0.0}),))  # fmt: skip


def disk(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Everything the run will write must fit, one state more than is kept included."""
    plan = make_plan(config, facts)
    if plan is None or facts.free_bytes is None or plan.disk_bytes is None or plan.checkpoint_bytes is None:
        return
    need = max(0, plan.disk_bytes - facts.held_bytes)
    if need <= NEARLY_FULL * facts.free_bytes:
        return

    def bytes_of(changed: RunConfig) -> int:
        other = make_plan(changed, facts)
        return other.disk_bytes if other is not None and other.disk_bytes is not None else need

    fixes = _helpful(_case(config, facts), bytes_of, FOR_THE_DISK)
    states = min(plan.save_steps, config.saving.keep_checkpoints) + 1
    values = {"need": size_in_words(need), "free": size_in_words(facts.free_bytes), "states": states,
              "state": size_in_words(plan.checkpoint_bytes)}  # fmt: skip
    detail = "{states} states of {state} (one more than is kept, while it is written), exports and pictures"
    field = _field_of(fixes, "saving.keep_checkpoints")
    if need > facts.free_bytes:
        yield Finding(Level.ERROR, field, message(
            "disk.small", f"The run will write {{need}} and the disk has {{free}} free: {detail}.",
            mend="Free some space, or put the run on another disk with --home.", **values), fixes)  # fmt: skip
    else:
        yield Finding(Level.WARNING, field, message(
            "disk.tight", f"The run will write {{need}} and nearly fill the disk, which has {{free}} free: {detail}.",
            mend="Free some space, or put the run on another disk with --home.", **values), fixes)  # fmt: skip


CHECKS = (optimizer, precision, attention, memory, disk)


def _helpful(case: Case, measure: Callable[[RunConfig], int], table: Sequence[Remedy]) -> tuple[Fix, ...]:
    """The changes that lower what is measured (bytes), the one that saves the most first, each with its saving."""
    now = measure(case.config)
    possible = [(remedy.brief, changes) for remedy in table if remedy.brief and (changes := remedy.changes(case))]
    saved = [(now - measure(with_changes(case.config, changes)), brief, changes) for brief, changes in possible]
    found = sorted((entry for entry in saved if entry[0] > 0), key=lambda entry: -entry[0])
    return tuple(Fix(message(code, label + saves, saving=size_in_words(saving)), changes)
                 for saving, (code, label, saves), changes in found)  # fmt: skip


def _case(config: RunConfig, facts: Facts) -> Case:
    return Case(config, facts.machine, facts.missing_modules)


def _field_of(fixes: tuple[Fix, ...], otherwise: str) -> str:
    return next(iter(fixes[0].changes)) if fixes else otherwise


def _attention(name: str) -> Fix:
    return Fix(message("fix.attention", "Use {name}", name=name), {"performance.attention": name})


def _precision(name: str) -> Fix:
    return Fix(message("fix.precision", "Use {name}", name=name), {"performance.mixed_precision": name})
