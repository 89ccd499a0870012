"""Runs of two processes by the real program: launched, killed, told to end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from core.config.runfile import to_toml
from core.events import Failed, RunStarted, Step, Stopped
from core.runs.journal import read_journal
from dbtui.commands.processes import TWICE_SECONDS
from tests.training.runs import draw_pictures, final_weights, quick_config

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
TRAIN = ("-P", "-m", "dbtui", "train")
pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]


def start(home: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, *TRAIN, *arguments, "--processes", "2", "--home", str(home)]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, tiny_sd1: Path) -> Path:
    folder = tmp_path_factory.mktemp("config")
    wanted = quick_config(
        tiny_sd1, draw_pictures(folder / "pictures", 4), model__name="run", intervals__epochs=12,
        intervals__save_every_steps=4, intervals__sample_every_steps=9, concepts__0__prior__images_per_instance=1,
    )  # fmt: skip
    (folder / "run.toml").write_text(to_toml(wanted))
    return folder / "run.toml"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, config: Path) -> dict[str, str]:
    home = tmp_path_factory.mktemp("undisturbed")
    process = start(home, str(config))
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors.decode()
    return final_weights(home / "runs" / "run")


def others_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children()


def until_step(process: subprocess.Popen[bytes], run: Path, step: int) -> None:
    deadline = time.monotonic() + 120
    while step not in {event.step for event in _events(run) if isinstance(event, Step)}:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _events(run: Path) -> list[object]:
    return list(read_journal(run / "journal.jsonl")) if (run / "journal.jsonl").exists() else []


def test_runs_killed_whole_or_in_part_end_with_the_weights_of_an_undisturbed_one(
    tmp_path: Path, config: Path, undisturbed: dict[str, str]
) -> None:
    run = tmp_path / "runs" / "run"
    process = start(tmp_path, str(config))
    until_step(process, run, 6)
    for each in (*others_of(process), process):
        each.kill()
    process.communicate()

    process = start(tmp_path, "run", "--resume")
    until_step(process, run, 11)
    [other] = others_of(process)
    process.kill()  # the first: the other notices by itself
    process.communicate()
    psutil.wait_procs([other], 60)
    assert not other.is_running()

    process = start(tmp_path, "run", "--resume")
    until_step(process, run, 15)
    others_of(process)[0].kill()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"Process 1 of 2 has ended without a word" in errors
    last = _events(run)[-1]
    assert isinstance(last, Failed)
    assert last.code == "processes.lost"

    process = start(tmp_path, "run", "--resume")
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors.decode()
    assert final_weights(run) == undisturbed
    lives = [event for event in _events(run) if isinstance(event, RunStarted)]
    assert [life.exact for life in lives] == [True] * 4
    assert lives[3].resumed_from is not None
    assert lives[3].resumed_from >= 15, "what was trained when the other was killed was kept"


@pytest.mark.parametrize("to", ["the first", "the other"])
def test_a_signal_to_any_of_them_saves_and_ends_all(tmp_path: Path, config: Path, to: str) -> None:
    process = start(tmp_path, str(config), "--set", "intervals.epochs=500")
    until_step(process, tmp_path / "runs" / "run", 3)
    [other] = others_of(process)
    os.kill(process.pid if to == "the first" else other.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 3, errors.decode()
    assert not other.is_running()
    last = _events(tmp_path / "runs" / "run")[-1]
    assert isinstance(last, Stopped)
    assert (last.reason, last.saved) == ("terminated", True)


def test_a_second_signal_ends_all_now(tmp_path: Path, config: Path) -> None:
    process = start(tmp_path, str(config), "--set", "intervals.epochs=500")
    until_step(process, tmp_path / "runs" / "run", 3)
    [other] = others_of(process)
    other.suspend()  # the first waits for it, and cannot end in order
    process.terminate()
    time.sleep(TWICE_SECONDS + 0.5)  # sooner it could be the same signal, handed on
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 1
    psutil.wait_procs([other], 30)
    assert not other.is_running()


@pytest.mark.parametrize(
    "launcher",
    [["torchrun", "--nproc_per_node", "2"], ["accelerate", "launch", "--multi_gpu", "--num_processes", "2"]],
    ids=["torchrun", "accelerate"],
)
def test_another_launcher_runs_the_same_trainer(
    tmp_path: Path, config: Path, undisturbed: dict[str, str], launcher: list[str]
) -> None:
    program = shutil.which(launcher[0], path=str(Path(sys.executable).parent))
    assert program is not None
    command = [program, *launcher[1:], "-m", "dbtui", "train", str(config), "--home", str(tmp_path)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert final_weights(tmp_path / "runs" / "run") == undisturbed


def test_in_the_background_with_two_processes(tmp_path: Path, config: Path, undisturbed: dict[str, str]) -> None:
    command = [sys.executable, *TRAIN, str(config), "--background", "--processes", "2", "--home", str(tmp_path)]
    subprocess.run(command, env=ENVIRONMENT, check=True, timeout=100, capture_output=True)
    run, deadline = tmp_path / "runs" / "run", time.monotonic() + 200
    while not any(event.kind in ("done", "failed") for event in _events(run)):  # type: ignore[attr-defined]
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert final_weights(run) == undisturbed
