"""Looks at libraries that may be broken: run in a child (`python -P -m dbtui.probes NAME`), so that a crash is found.

Prints one JSON object. What a library prints while it is imported goes to stderr.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from core.texts import say

PROBE_SECONDS = 120.0


def probe_torch() -> dict[str, Any]:
    """Version, whether CUDA works here (one real multiplication), and bf16."""
    import torch

    found: dict[str, Any] = {"version": torch.__version__, "cuda_build": torch.version.cuda, "cuda": False}
    found["threads"] = torch.get_num_threads()
    if torch.cuda.is_available():
        square = torch.ones(64, 64, device="cuda")
        found["cuda"] = bool((square @ square)[0, 0].item() == 64)
        found["gpu"] = torch.cuda.get_device_name(0)
        found["capability"] = ".".join(str(part) for part in torch.cuda.get_device_capability(0))
        found["bf16"] = torch.cuda.is_bf16_supported(including_emulation=False)
    return found


def probe_bitsandbytes() -> dict[str, Any]:
    """Version, and whether one step of its 8bit AdamW moves a weight."""
    import bitsandbytes
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    weight = torch.nn.Parameter(torch.ones(8192, device=device))
    weight.grad = torch.ones_like(weight)
    bitsandbytes.optim.AdamW8bit([weight], lr=0.1).step()
    return {"version": bitsandbytes.__version__, "device": device, "works": bool((weight < 1).all().item())}


def probe_xformers() -> dict[str, Any]:
    """Version, and whether its attention goes forward and backward here."""
    import torch
    import xformers
    from xformers.ops import memory_efficient_attention

    device = "cuda" if torch.cuda.is_available() else "cpu"
    query = torch.randn(1, 16, 2, 32, device=device, dtype=torch.float16, requires_grad=True)
    memory_efficient_attention(query, query, query).sum().backward()
    return {"version": xformers.__version__, "device": device, "works": query.grad is not None}


PROBES: dict[str, Callable[[], dict[str, Any]]] = {
    "torch": probe_torch,
    "bitsandbytes": probe_bitsandbytes,
    "xformers": probe_xformers,
}


def run_probe(name: str) -> dict[str, Any]:
    """What the probe found in a child process; `error` says in one line why it found nothing."""
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", "dbtui.probes", name],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return {"error": say("probe.silent", "gave no answer within {seconds:.0f} s", seconds=PROBE_SECONDS)}
    if child.returncode < 0:
        return {"error": say("probe.crashed", "crashed ({signal})", signal=signal.Signals(-child.returncode).name)}
    if child.returncode:
        return {"error": child.stderr.strip().splitlines()[-1] if child.stderr.strip() else
                say("probe.wordless", "ended without a word")}  # fmt: skip
    found: dict[str, Any] = json.loads(child.stdout)
    return found


def _main(name: str) -> None:
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        found = PROBES[name]()
    except Exception as error:  # whatever is wrong with a library is the answer
        found = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
    with answer:
        json.dump(found, answer)


if __name__ == "__main__":
    _main(sys.argv[1])
