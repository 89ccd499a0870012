"""The demo as it is: the real command on the embedded model, from typing it to done, with no network and no caches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.demo.source import MODEL

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not MODEL.is_dir(), reason="the embedded model is not in this checkout"),
]
WITHOUT_NETWORK = """
import socket, sys

def refuse(*arguments, **options):
    raise AssertionError(f"the network was asked for: {arguments}")

socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from dbtui.__main__ import main
code = main(sys.argv[1:])
recipe = [name for name in sys.modules if name.startswith("core.demo.recipe")]
assert not recipe, recipe
sys.exit(code)
"""


def demo(home: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """`dbtui demo --headless …` in a process of its own with an empty home folder; how it ended, and its seconds."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "OMP_"))}
    environment |= {"HOME": str(home), "DBTUI_HOME": str(home / "runs-of-mine"), "CUDA_VISIBLE_DEVICES": ""}
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", WITHOUT_NETWORK, "demo", "--headless", *arguments],
                          env=environment, capture_output=True, text=True, check=False)  # fmt: skip
    return done, time.monotonic() - began


@pytest.mark.parametrize("prior", [True, False])
def test_it_comes_to_its_end_and_the_new_dog_is_seen_in_the_last_previews(tmp_path: Path, prior: bool) -> None:
    done, seconds = demo(tmp_path, *([] if prior else ["--without-prior"]))
    assert done.returncode == 0, done.stderr
    print(f"{seconds:.0f} s from typing to done, on {os.cpu_count()} processors")
    run = tmp_path / "runs-of-mine" / "runs" / "demo"
    assert (run / "export" / "demo.safetensors").stat().st_size < 40_000_000
    said = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    samples = [event for event in said if event["kind"] == "sample"]
    first, last = samples[:2], samples[-2:]
    assert [sample["of_class"] for sample in last] == [False, True]
    assert all(sample["likeness"] < 0.2 for sample in first), "before, it is no dog of ours"
    assert last[0]["likeness"] > 0.8
    assert (last[1]["likeness"] < 0.2) == prior, "the class is held by class pictures and by nothing else"
    assert all(sample["noun"] == "dog face" for sample in samples if sample["of_class"] or sample["step"] == 0)
