"""`dbtui doctor`: what works on this computer, and how to mend what does not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.text import Text

from core.files import free_bytes, probe_writable
from core.machine import Machine, inspect_machine
from core.runs.logout import ended_at_logout, is_systemd
from core.texts import UserError, joined, say, size_in_words
from dbtui import __version__
from dbtui.boundary import DONE, FAILED
from dbtui.commands.terminal_probe import ask_for_graphics
from dbtui.printing import console, print_json, print_paragraph
from dbtui.probes import run_probe
from dbtui.safe import safe

ROOM_FOR_A_RUN = 40_000_000_000
"""Bytes that a full fine-tuning of Stable Diffusion 1.5 may take: three states of 12 bytes a parameter, an export."""
MARKS = {"ok": ("✓", "green"), "missing": ("–", "yellow"), "broken": ("✗", "red")}


@dataclass(frozen=True)
class Diagnosis:
    """`state` is ok, missing (works without it) or broken; `mend` says what to do about the last two."""

    subject: str
    state: str
    finding: str
    mend: str = ""


def examine(home: Path, *, as_json: bool) -> int:
    """Print what was found; 1 if something is broken."""
    machine = inspect_machine()
    diagnoses = list(_examine(home, machine))
    if as_json:
        print_json({"version": __version__, "machine": asdict(machine), "checks": [asdict(one) for one in diagnoses]})
    else:
        _print(diagnoses)
    return FAILED if any(one.state == "broken" for one in diagnoses) else DONE


def _examine(home: Path, machine: Machine) -> Iterator[Diagnosis]:
    yield _python()
    yield _memory(machine)
    torch = run_probe("torch")
    yield _torch(torch)
    yield _gpu(torch)
    yield _precision(torch, machine)
    yield _bitsandbytes(run_probe("bitsandbytes"))
    yield _xformers(torch)
    yield from _libraries()
    yield _colours()
    yield _graphics()
    yield _disk(home)
    yield from _logging_out()


def _python() -> Diagnosis:
    return Diagnosis("Python", "ok", say("doctor.python", "{version} at {path}", version=sys.version.split()[0],
                                        path=sys.executable))  # fmt: skip


def _memory(machine: Machine) -> Diagnosis:
    finding = say("doctor.memory.found", "{size}, {free} free, {cores} cores", size=size_in_words(machine.memory),
                  free=size_in_words(machine.memory_available), cores=machine.cores)  # fmt: skip
    return Diagnosis(say("doctor.memory", "Memory"), "ok", finding)


def _torch(found: dict[str, Any]) -> Diagnosis:
    if "error" in found:
        return Diagnosis("torch", "broken", found["error"],
                         say("doctor.torch.mend", "Install it anew: pip install --force-reinstall torch"))  # fmt: skip
    return Diagnosis("torch", "ok", say("doctor.torch", "{version}, {threads} threads", version=found["version"],
                                        threads=found["threads"]))  # fmt: skip


def _gpu(found: dict[str, Any]) -> Diagnosis:
    if found.get("cuda"):
        return Diagnosis("GPU", "ok", say("doctor.gpu", "{gpu}, compute capability {capability}", gpu=found["gpu"],
                                          capability=found["capability"]))  # fmt: skip
    driver = _driver()
    if driver and "error" not in found and not found.get("cuda_build"):
        return Diagnosis(
            "GPU", "broken",
            say("doctor.gpu.cpu-build", "driver {driver} is here, but this torch is built for the CPU alone",
                driver=driver),
            say("doctor.gpu.cpu-build.mend", "Install the build for your GPU: pip install --force-reinstall torch, "
                "with the index that pytorch.org names for it."),
        )  # fmt: skip
    if driver:
        return Diagnosis(
            "GPU", "broken",
            say("doctor.gpu.unusable", "driver {driver} is here, but torch cannot use it", driver=driver),
            say("doctor.gpu.unusable.mend", "torch is built for CUDA {cuda}: update the driver, or install a torch for "
                "an older CUDA.", cuda=found.get("cuda_build")),
        )  # fmt: skip
    return Diagnosis(
        "GPU", "missing",
        say("doctor.gpu.none", "no NVIDIA GPU, or no driver for it: training runs on the CPU, which takes hours to "
            "days"),
        say("doctor.gpu.none.mend",
            "With a card in this computer: install NVIDIA's driver until `nvidia-smi` shows it."),
    )  # fmt: skip


def _driver() -> str:
    """The version of NVIDIA's driver, empty without one."""
    import pynvml

    try:
        pynvml.nvmlInit()
        driver = pynvml.nvmlSystemGetDriverVersion()
    except pynvml.NVMLError:
        return ""
    return driver.decode() if isinstance(driver, bytes) else str(driver)


def _precision(found: dict[str, Any], machine: Machine) -> Diagnosis:
    if found.get("bf16") or (not found.get("cuda") and machine.knows_bf16):
        return Diagnosis("bf16", "ok", say("doctor.bf16", "this device computes in bfloat16"))
    if found.get("cuda"):
        return Diagnosis("bf16", "missing", say(
            "doctor.bf16.gpu", "this GPU is older than Ampere: fp16 with loss scaling is used instead"))  # fmt: skip
    return Diagnosis("bf16", "missing", say(
        "doctor.bf16.cpu", "this CPU has no bfloat16 arithmetic: training computes in 32 bits"))  # fmt: skip


def _bitsandbytes(found: dict[str, Any]) -> Diagnosis:
    mend = say("doctor.bitsandbytes.mend",
               'pip install --upgrade bitsandbytes, or choose performance.optimizer = "adamw"')  # fmt: skip
    if "error" in found:
        return Diagnosis("bitsandbytes", "missing", found["error"], mend)
    if not found["works"]:
        return Diagnosis("bitsandbytes", "missing", say("doctor.bitsandbytes.idle",
                         "{version}: its 8bit AdamW moves no weight", version=found["version"]), mend)  # fmt: skip
    return Diagnosis("bitsandbytes", "ok", say("doctor.bitsandbytes", "{version}, 8bit AdamW works on {device}",
                                               version=found["version"], device=found["device"]))  # fmt: skip


def _xformers(torch: dict[str, Any]) -> Diagnosis:
    if find_spec("xformers") is None:
        return Diagnosis("xformers", "missing", say(
            "doctor.xformers.none",
            "not installed: torch's own attention is used, which is as fast today"))  # fmt: skip
    found = run_probe("xformers")
    if "error" in found:
        mend = say("doctor.xformers.mend", "Nothing needs it: torch's attention is used.")
        if not torch.get("cuda"):
            mend = say("doctor.xformers.mend-cpu", "Nothing needs it: torch's attention is used. It needs a GPU.")
        return Diagnosis("xformers", "missing", found["error"], mend)
    return Diagnosis("xformers", "ok", say("doctor.xformers", "{version}, attention works on {device}",
                                           version=found["version"], device=found["device"]))  # fmt: skip


def _libraries() -> Iterator[Diagnosis]:
    for name in ("diffusers", "transformers", "safetensors", "textual"):
        try:
            yield Diagnosis(name, "ok", version(name))
        except PackageNotFoundError:
            yield Diagnosis(name, "broken", say("doctor.not-installed", "not installed"), f"pip install {name}")


def _colours() -> Diagnosis:
    title = say("doctor.colours", "Colours")
    if not sys.stdout.isatty():
        return Diagnosis(title, "missing", say("doctor.no-terminal", "stdout is no terminal"))
    if os.environ.get("NO_COLOR"):
        return Diagnosis(title, "missing", say("doctor.colours.off", "NO_COLOR is set"),
                         say("doctor.colours.off.mend", "Unset it to see colours."))  # fmt: skip
    term = os.environ.get("TERM", "")
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return Diagnosis(title, "ok", say("doctor.colours.millions", "16 million (TERM={term})", term=term))
    if "256" in term:
        return Diagnosis(title, "ok", say("doctor.colours.256", "256 (TERM={term})", term=term),
                         say("doctor.colours.256.mend",
                             "If the terminal can do more: export COLORTERM=truecolor"))  # fmt: skip
    few = say("doctor.colours.few", "16 or none (TERM={term})", term=term or say("doctor.colours.unset", "not set"))
    return Diagnosis(title, "missing", few, say(
        "doctor.colours.few.mend",
        "Use a terminal with 256 colours or more, for example: export TERM=xterm-256color"))  # fmt: skip


def _graphics() -> Diagnosis:
    title = say("doctor.pictures", "Pictures")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return Diagnosis(title, "missing", say("doctor.no-terminal", "stdout is no terminal"))
    known = ask_for_graphics(sys.stdin.fileno(), sys.stdout.fileno())
    if known:
        return Diagnosis(title, "ok", say("doctor.pictures.full", "this terminal shows them in full: {protocols}",
                                          protocols=joined(known)))  # fmt: skip
    return Diagnosis(
        title, "ok", say("doctor.pictures.cells", "shown in half cells of colour"),
        say("doctor.pictures.cells.mend", "For sharp previews use a terminal with kitty graphics or sixel: kitty, "
            "WezTerm, Ghostty, foot; inside tmux they are not passed on."),
    )  # fmt: skip


def _disk(home: Path) -> Diagnosis:
    title = say("doctor.disk", "Disk")
    try:
        nearest = home
        while not nearest.exists():
            nearest = nearest.parent
        probe_writable(nearest)
    except UserError as error:
        return Diagnosis(title, "broken", error.message.text, error.message.advice)
    free = free_bytes(home)
    finding = say("doctor.disk.free", "{size} free for {folder}", size=size_in_words(free), folder=home)
    if free < ROOM_FOR_A_RUN:
        return Diagnosis(title, "missing", finding, say(
            "doctor.disk.small", "Training a whole Stable Diffusion 1.5 takes up to {size}: free some space, or choose "
            "a disk with --home.", size=size_in_words(ROOM_FOR_A_RUN)))  # fmt: skip
    return Diagnosis(title, "ok", finding)


def _logging_out() -> Iterator[Diagnosis]:
    """Only machines with systemd have a say in it."""
    title = say("doctor.logout", "Logging out")
    danger = ended_at_logout()
    if danger is not None:
        yield Diagnosis(title, "missing", danger.text, danger.advice)
    elif is_systemd():
        yield Diagnosis(title, "ok", say("doctor.logout.fine", "what trains in the background goes on"))


def _print(diagnoses: list[Diagnosis]) -> None:
    out = console()
    for one in diagnoses:
        mark, colour = MARKS[one.state]
        line = Text(f"{mark} ", colour)
        line.append(say("explain.line", "{title}: ", title=one.subject), "bold default")
        line.append(safe(one.finding), "default")
        out.print(line)
        if one.mend:
            print_paragraph(out, safe(one.mend), indent=4, style="dim")
