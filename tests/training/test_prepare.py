from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.events import Phase, RunStarted, Stopped, Warned
from core.families import hub
from core.texts import UserError
from core.training.trainer import Trainer
from tests.training.asking import Asked
from tests.training.runs import draw_pictures, no_commands, quick_config, run_to_end


def hub_cache(root: Path, source: Path) -> Path:
    """A downloaded `somebody/tiny`, as huggingface_hub lays it out."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = root / "models--somebody--tiny"
    shutil.copytree(source, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    return repository / "snapshots" / commit


def test_a_hub_id_is_downloaded_once_as_a_phase_of_its_own(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    asked: list[str] = []

    def download(repo: str, *_: Any, **__: Any) -> Path:
        asked.append(repo)
        return hub_cache(tmp_path / "hub", tiny_sd1)

    monkeypatch.setattr(hub, "download", download)
    config = quick_config(Path("x"), pictures, model__source="somebody/tiny", intervals__max_steps=1)
    first = run_to_end(config, tmp_path / "first")
    assert isinstance(first[0], Phase) and first[0].name == "downloading"
    started = next(event for event in first if isinstance(event, RunStarted))
    assert str(started.settled["source_commit"]).startswith("0123456789abcdef")
    assert not any(isinstance(event, Phase) and event.name == "downloading" for event in
                   run_to_end(config, tmp_path / "second"))  # fmt: skip
    assert asked == ["somebody/tiny"]


def test_unreadable_pictures_stop_the_run_or_are_left_out_and_named(tmp_path: Path, tiny_sd1: Path) -> None:
    pictures = draw_pictures(tmp_path / "own", 3)
    (pictures / "torn.png").write_bytes((pictures / "0.png").read_bytes()[:200])
    config = quick_config(tiny_sd1, pictures, intervals__max_steps=1)
    with pytest.raises(UserError, match=r"torn\.png"):
        run_to_end(config, tmp_path / "refused")
    config = quick_config(tiny_sd1, pictures, intervals__max_steps=1, concepts__0__instance__leave_out_unreadable=True)
    events = run_to_end(config, tmp_path / "run")
    (warning,) = [event for event in events if isinstance(event, Warned)]
    assert warning.code == "data.left-out" and "torn.png" in warning.message


def test_a_stop_between_class_pictures_keeps_those_that_are_made(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    config = quick_config(tiny_sd1, pictures, concepts__0__prior__images_per_instance=2)
    (tmp_path / "run").mkdir()
    asked: list[Asked] = []
    trainer = Trainer(config, tmp_path / "run", resume=False, poll=lambda: [asked.pop()] if asked else [])
    events = []
    for event in trainer.run():
        events.append(event)
        if isinstance(event, Phase) and event.name == "class-images" and event.done == 3:
            asked.append(Asked("stop"))
    assert isinstance(events[-1], Stopped)
    made = sorted((tmp_path / "run" / "class" / "dog").glob("*.png"))
    assert len(made) == 3
    before = [path.read_bytes() for path in made]
    again = Trainer(config, tmp_path / "run", resume=True, poll=no_commands)
    totals = [event.total for event in again.run() if isinstance(event, Phase) and event.name == "class-images"]
    assert set(totals) == {5}
    assert [path.read_bytes() for path in made] == before


def test_class_pictures_of_the_person_are_used_and_only_the_missing_ones_made(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    own = draw_pictures(tmp_path / "class", 3)
    (own / "0.txt").write_text("a brown dog")
    before = {path.name: path.read_bytes() for path in own.iterdir()}
    config = quick_config(
        tiny_sd1,
        pictures,
        concepts__0__prior__images_per_instance=1,
        concepts__0__prior__directory=str(own),
        intervals__max_steps=1,
    )
    trainer = Trainer(config, tmp_path / "run", resume=False, poll=no_commands)
    (tmp_path / "run").mkdir()
    list(trainer.run())
    captions = [item.caption for item in trainer._prepared.dataset.concepts[0].prior]
    assert sorted(captions) == ["a brown dog", "a dog", "a dog", "a dog"]
    assert {name: (own / name).read_bytes() for name in before} == before


def test_the_folder_of_a_run_that_is_gone_stays_gone_and_the_run_makes_its_own_class_pictures(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    changes = {"concepts__0__prior__images_per_instance": 1, "intervals__max_steps": 1,
               "concepts__0__prior__directory": str(tmp_path / "gone" / "class" / "dog")}  # fmt: skip
    events = run_to_end(quick_config(tiny_sd1, pictures, **changes), tmp_path / "run")
    assert not (tmp_path / "gone").exists()
    assert list((tmp_path / "run" / "class" / "dog").glob("class-*.png"))
    (warning,) = [event for event in events if isinstance(event, Warned)]
    assert warning.code == "class.run-gone" and "gone" in warning.message


def test_no_pictures_at_all_is_refused(tmp_path: Path, tiny_sd1: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no pictures"):
        run_to_end(quick_config(tiny_sd1, tmp_path / "empty"), tmp_path / "run")


def test_a_gpu_that_torch_cannot_use_is_told(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.training import prepare

    card = replace(prepare.inspect_machine(), device="cuda", gpu="Old Card 1")
    monkeypatch.setattr(prepare, "inspect_machine", lambda: card)
    events = run_to_end(quick_config(tiny_sd1, pictures, intervals__max_steps=1), tmp_path / "run")
    (warning,) = [event for event in events if isinstance(event, Warned)]
    assert warning.code == "device.gpu-unused" and "Old Card 1" in warning.message


def test_a_class_picture_that_cannot_be_read_is_named_and_another_is_made(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    own = draw_pictures(tmp_path / "class", 4)
    (own / "3.png").write_bytes((own / "3.png").read_bytes()[:200])
    config = quick_config(
        tiny_sd1,
        pictures,
        concepts__0__prior__images_per_instance=1,
        concepts__0__prior__directory=str(own),
        intervals__max_steps=1,
    )
    (warning,) = [event for event in run_to_end(config, tmp_path / "run") if isinstance(event, Warned)]
    assert warning.code == "data.left-out" and "3.png" in warning.message
    assert (own / "class-00000.png").exists()
