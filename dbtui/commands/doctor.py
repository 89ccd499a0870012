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

from rich.padding import Padding
from rich.text import Text

from core.files import free_bytes, probe_writable
from core.machine import Machine, inspect_machine
from core.texts import UserError, size_in_words
from dbtui import __version__
from dbtui.boundary import DONE, FAILED
from dbtui.commands.terminal_probe import ask_for_graphics
from dbtui.printing import console, print_json
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


def _python() -> Diagnosis:
    return Diagnosis("Python", "ok", f"{sys.version.split()[0]} at {sys.executable}")


def _memory(machine: Machine) -> Diagnosis:
    finding = f"{size_in_words(machine.memory)}, {size_in_words(machine.memory_available)} free, {machine.cores} cores"
    return Diagnosis("Memory", "ok", finding)


def _torch(found: dict[str, Any]) -> Diagnosis:
    if "error" in found:
        return Diagnosis("torch", "broken", found["error"], "Install it anew: pip install --force-reinstall torch")
    return Diagnosis("torch", "ok", f"{found['version']}, {found['threads']} threads")


def _gpu(found: dict[str, Any]) -> Diagnosis:
    if found.get("cuda"):
        return Diagnosis("GPU", "ok", f"{found['gpu']}, compute capability {found['capability']}")
    driver = _driver()
    if driver and "error" not in found and not found.get("cuda_build"):
        return Diagnosis("GPU", "broken", f"driver {driver} is here, but this torch is built for the CPU alone",
                         "Install the build for your GPU: pip install --force-reinstall torch, with the index that "
                         "pytorch.org names for it.")  # fmt: skip
    if driver:
        return Diagnosis("GPU", "broken", f"driver {driver} is here, but torch cannot use it",
                         f"torch is built for CUDA {found.get('cuda_build')}: update the driver, or install a torch "
                         "for an older CUDA.")  # fmt: skip
    return Diagnosis("GPU", "missing", "no NVIDIA GPU, or no driver for it: training runs on the CPU, which takes days",
                     "With a card in this computer: install NVIDIA's driver until `nvidia-smi` shows it.")  # fmt: skip


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
        return Diagnosis("bf16", "ok", "this device computes in bfloat16")
    if found.get("cuda"):
        return Diagnosis("bf16", "missing", "this GPU is older than Ampere: fp16 with loss scaling is used instead")
    return Diagnosis("bf16", "missing", "this CPU has no bfloat16 arithmetic: training computes in 32 bits")


def _bitsandbytes(found: dict[str, Any]) -> Diagnosis:
    mend = 'pip install --upgrade bitsandbytes, or choose performance.optimizer = "adamw"'
    if "error" in found:
        return Diagnosis("bitsandbytes", "missing", found["error"], mend)
    if not found["works"]:
        return Diagnosis("bitsandbytes", "missing", f"{found['version']}: its 8bit AdamW moves no weight", mend)
    return Diagnosis("bitsandbytes", "ok", f"{found['version']}, 8bit AdamW works on {found['device']}")


def _xformers(torch: dict[str, Any]) -> Diagnosis:
    if find_spec("xformers") is None:
        return Diagnosis("xformers", "missing", "not installed: torch's own attention is used, which is as fast today")
    found = run_probe("xformers")
    if "error" in found:
        where = "" if torch.get("cuda") else " It needs a GPU."
        return Diagnosis("xformers", "missing", found["error"], f"Nothing needs it: torch's attention is used.{where}")
    return Diagnosis("xformers", "ok", f"{found['version']}, attention works on {found['device']}")


def _libraries() -> Iterator[Diagnosis]:
    for name in ("diffusers", "transformers", "safetensors", "textual"):
        try:
            yield Diagnosis(name, "ok", version(name))
        except PackageNotFoundError:
            yield Diagnosis(name, "broken", "not installed", f"pip install {name}")


def _colours() -> Diagnosis:
    if not sys.stdout.isatty():
        return Diagnosis("Colours", "missing", "stdout is no terminal")
    if os.environ.get("NO_COLOR"):
        return Diagnosis("Colours", "missing", "NO_COLOR is set", "Unset it to see colours.")
    term = os.environ.get("TERM", "")
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return Diagnosis("Colours", "ok", f"16 million (TERM={term})")
    if "256" in term:
        return Diagnosis("Colours", "ok", f"256 (TERM={term})",
                         "If the terminal can do more: export COLORTERM=truecolor")  # fmt: skip
    return Diagnosis("Colours", "missing", f"16 or none (TERM={term or 'not set'})",
                     "Use a terminal with 256 colours or more, for example: export TERM=xterm-256color")  # fmt: skip


def _graphics() -> Diagnosis:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return Diagnosis("Pictures", "missing", "stdout is no terminal")
    known = ask_for_graphics(sys.stdin.fileno(), sys.stdout.fileno())
    if known:
        return Diagnosis("Pictures", "ok", f"this terminal shows them in full: {' and '.join(known)}")
    return Diagnosis("Pictures", "ok", "shown in half cells of colour",
                     "For sharp previews use a terminal with kitty graphics or sixel: kitty, WezTerm, Ghostty, foot; "
                     "inside tmux they are not passed on.")  # fmt: skip


def _disk(home: Path) -> Diagnosis:
    try:
        nearest = home
        while not nearest.exists():
            nearest = nearest.parent
        probe_writable(nearest)
    except UserError as error:
        return Diagnosis("Disk", "broken", error.message.text, error.message.advice)
    free = free_bytes(home)
    finding = f"{size_in_words(free)} free for {home}"
    if free < ROOM_FOR_A_RUN:
        needed = f"Training a whole Stable Diffusion 1.5 takes up to {size_in_words(ROOM_FOR_A_RUN)}"
        return Diagnosis("Disk", "missing", finding, f"{needed}: free some space, or choose a disk with --home.")
    return Diagnosis("Disk", "ok", finding)


def _print(diagnoses: list[Diagnosis]) -> None:
    out = console()
    for one in diagnoses:
        mark, colour = MARKS[one.state]
        line = Text(f"{mark} ", colour)
        line.append(f"{one.subject}: ", "bold default")
        line.append(safe(one.finding), "default")
        out.print(line)
        if one.mend:
            out.print(Padding(Text(safe(one.mend), "dim"), (0, 0, 0, 4)))
