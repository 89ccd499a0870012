"""Whole runs by the real program, killed at random moments and resumed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.config.runfile import to_toml
from core.events import Step
from core.runs.journal import read_journal
from tests.training.runs import draw_pictures, final_weights, quick_config

STEPS = 24


def start(home: Path, *arguments: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", "dbtui", "train", *arguments, "--home", str(home)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def write_run(tmp_path: Path, source: Path) -> Path:
    pictures = draw_pictures(tmp_path / "pictures", 3)
    config = quick_config(
        source,
        pictures,
        model__name="run",
        intervals__epochs=STEPS // 3,
        intervals__save_every_steps=4,
        intervals__sample_every_steps=9,
        concepts__0__prior__images_per_instance=2,
        saving__export_when_done=True,
    )
    path = tmp_path / "run.toml"
    path.write_text(to_toml(config))
    return path


def finished(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()


def kill_at_a_random_moment(process: subprocess.Popen[bytes], run: Path, chance: random.Random) -> bool:
    """Kill -9 after a random number of lines of the journal; false where the run ended before."""
    journal = run / "journal.jsonl"
    lines_before = journal.read_bytes().count(b"\n") if journal.exists() else 0
    wanted = lines_before + chance.randint(0, 25)
    while process.poll() is None:
        if journal.exists() and journal.read_bytes().count(b"\n") >= wanted:
            time.sleep(chance.random() * 0.3)
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.01)
    return False


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_a_run_killed_at_random_moments_ends_with_the_same_weights(tmp_path: Path, tiny_sd1: Path, kills: int) -> None:
    config = write_run(tmp_path, tiny_sd1)
    finished(start(tmp_path / "whole", str(config)))

    chance, home = random.Random(kills), tmp_path / "killed"
    run = home / "runs" / "run"
    process, done = start(home, str(config)), 0
    while done < kills and kill_at_a_random_moment(process, run, chance):
        done += 1
        process = start(home, "run", "--resume")
    finished(process)
    assert done > 0

    undisturbed = tmp_path / "whole" / "runs" / "run"
    assert final_weights(run) == final_weights(undisturbed)
    losses = {event.step: event.loss for event in read_journal(run / "journal.jsonl") if isinstance(event, Step)}
    expected = {
        event.step: event.loss for event in read_journal(undisturbed / "journal.jsonl") if isinstance(event, Step)
    }
    assert losses == expected
    assert (run / "export" / "run.safetensors").exists()
    assert not [path for path in run.rglob(".*") if path.is_file() or path.name.startswith(".staging")]
