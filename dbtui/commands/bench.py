"""`dbtui bench`: how fast this computer trains, and how much of that the trainer itself costs."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.padding import Padding
from rich.text import Text

from core.bench.results import Measurement, Refused, Result
from core.bench.settings import Setting, settings_of
from core.machine import Machine, inspect_machine
from core.texts import Texts, noted, say, size_in_words
from dbtui.boundary import DONE, FAILED
from dbtui.printing import console, print_json, print_lines, table
from dbtui.safe import safe, safe_message

SECONDS = {"cpu": 5.0, "cuda": 20.0}
"""For the rounds of one setting, if nothing else is asked for."""
COLUMNS = Texts("bench", {
    "speed": "images/s", "bare": "bare", "ratio": "of it", "mfu": "MFU", "memory": "memory", "first": "1st step",
})  # fmt: skip


def meaning() -> str:
    return say(
        "bench.meaning",
        "images/s: how many of your pictures are trained in a second. bare: the same networks on numbers that never "
        "change, without pictures, captions and records, as fast as any trainer could be. of it: the trainer's share "
        "of that speed, 100% where all it does beside costs nothing. MFU: the share of the card's peak in 16 bits "
        "that the networks' own arithmetic uses, where that peak is known. memory: the most that was taken in training "
        "(on a processor, by the whole program). 1st step: from the start of a run to its first update.",
    )


def tiny() -> str:
    return say(
        "bench.tiny",
        "These are tiny networks, for comparing the two loops: how fast real ones train is measured with --real, which "
        "takes long without a GPU.",
    )


def run_bench(
    families: Sequence[str],
    methods: Sequence[str],
    batches: Sequence[int],
    variants: Sequence[str],
    *,
    real: bool | None,
    seconds: float | None,
    profile: bool,
    as_json: bool,
) -> int:
    """Measure and print; 1 if nothing could be measured. Raises `UserError` for settings that are none."""
    settings = settings_of(families, methods, batches, variants)
    machine = inspect_machine()
    is_real = machine.device == "cuda" if real is None else real
    from core.bench.measure import Bench

    bench = Bench(real=is_real, seconds=seconds or SECONDS[machine.device], profile=profile)
    results = []
    for result in bench.run(settings, _tell):
        results.append(result)
        _tell_result(result)
    if as_json:
        print_json(_as_json(results, machine, real=is_real))
    else:
        _print(results, machine, real=is_real)
    return DONE if any(isinstance(result, Measurement) for result in results) else FAILED


def _tell(setting: Setting) -> None:
    print(safe(say("bench.measuring", "measuring {setting} …", setting=setting.title)), file=sys.stderr, flush=True)


def _tell_result(result: Result) -> None:
    """At once: a long series may be cut off before its table."""
    if isinstance(result, Refused):
        said = safe_message(result.reason)
    else:
        said = say("bench.told", "{speed:.2f} images/s, {ratio:.1%} of the bare loop", speed=result.images_per_second,
                   ratio=result.ratio)  # fmt: skip
    print(f"  {said}", file=sys.stderr, flush=True)


def _as_json(results: Sequence[Result], machine: Machine, *, real: bool) -> dict[str, Any]:
    import torch

    from core.training.device import versions

    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": machine.gpu or _processor(),
        "machine": asdict(machine),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "versions": versions() | {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()},
        "architectures": "real" if real else "tiny",
        "results": [_result_as_json(result) for result in results],
    }


def _result_as_json(result: Result) -> dict[str, Any]:
    if isinstance(result, Refused):
        reason = result.reason
        return asdict(result.setting) | {"error": {"code": reason.code, "text": reason.text, "advice": reason.advice}}
    figures = asdict(result)
    return figures.pop("setting") | figures


def _processor() -> str:
    return noted("CPU", platform.machine())


def _print(results: Sequence[Result], machine: Machine, *, real: bool) -> None:
    out = console()
    device = machine.gpu or _processor()
    if real:
        head = say("bench.real", "{device}, real networks, random weights", device=device)
    else:
        head = say("bench.tiny-networks", "{device}, tiny networks, random weights", device=device)
    out.print(Text(safe(head), "bold"))
    for variant in dict.fromkeys(result.setting.variant for result in results):
        print_lines()
        if variant:
            print_lines(variant)
        rows = [_row(result) for result in results if result.setting.variant == variant]
        out.print(table(("", *COLUMNS.values()), rows, right=COLUMNS.values()))
    for result in results:
        for remark in _remarks(result):
            out.print(
                Padding(Text(safe(say("explain.line", "{title}: ", title=result.setting.title) + remark)), (1, 0, 0, 0))
            )
    for result in results:
        if isinstance(result, Measurement) and result.costs:
            _print_costs(result)
    print_lines()
    out.print(Text(meaning()))
    if not real:
        out.print(Text(tiny()))


def _row(result: Result) -> tuple[str, ...]:
    setting = result.setting
    name = f"{setting.family} {setting.method} {setting.batch} ×"
    if isinstance(result, Refused):
        return (name, say("bench.see-below", "see below"), "–", "–", "–", "–", "–")
    return (
        f"{name} {result.resolution} px",
        f"{result.images_per_second:.2f}",
        f"{result.bare_images_per_second:.2f}",
        f"{result.ratio:.1%}",
        "–" if result.mfu is None else f"{result.mfu:.1%}",
        size_in_words(result.peak_bytes),
        f"{result.first_step_seconds:.1f} s",
    )


def _remarks(result: Result) -> tuple[str, ...]:
    return (safe_message(result.reason),) if isinstance(result, Refused) else result.notes


def _print_costs(result: Measurement) -> None:
    """Where a step's time went; matrix products are what a step is for, the rest is beside."""
    out = console()
    print_lines()
    out.print(
        Text(
            safe(say("bench.costs", "One step of {setting}: where its time goes", setting=result.setting.title)), "bold"
        )
    )
    rows = [(cost.name, f"{cost.milliseconds:.2f}", f"{cost.share:.1%}", f"{cost.count:,}") for cost in result.costs]
    columns = (say("bench.operation", "operation"), "ms", say("bench.share", "share"), say("bench.times", "times"))
    out.print(table(columns, rows, right=columns[1:]))
