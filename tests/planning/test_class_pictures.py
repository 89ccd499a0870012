"""Class pictures are shared between runs that would make the same ones."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.config.findings import Level
from core.planning import class_pictures
from core.planning.class_pictures import ClassPicturesThere, class_folder, likeness_of, made_in, run_that_is_gone
from core.planning.survey import survey
from core.runs.folder import Run
from tests.planning.example import codes, config, facts, found, mended, scan_of

FIELD = "concepts.0.prior.directory"
FOLDER = Path("/home/runs/other/class/dog")


def there(count: int = 24, **changes: Any) -> ClassPicturesThere:
    made = config(changes)
    return ClassPicturesThere("other", FOLDER, likeness_of(made, made.concepts[0]), count)


def test_the_pictures_of_a_run_of_the_same_kind_are_offered_and_a_fix_takes_them() -> None:
    world = facts(class_pictures=(there(),))
    finding = found("class.there", {}, world)
    assert finding.level is Level.HINT and finding.field == FIELD and "24 pictures" in finding.message.text
    (fix,) = finding.fixes
    assert fix.changes == {FIELD: str(FOLDER)}
    assert mended(finding, {}, replace(world, prior_scans=(scan_of(24, folder=str(FOLDER)),))) == [set()]


@pytest.mark.parametrize(
    "other",
    [
        {"concepts.0.instance.class_noun": "cat"},
        {"concepts.0.prior.prompt": "a drawing of a dog"},
        {"concepts.0.prior.negative_prompt": "blurred"},
        {"concepts.0.prior.steps": 10},
        {"model.resolution": 768},
        {"model.source": "/models/another"},
        {"model.clip_skip": 2},
    ],
)
def test_pictures_of_another_kind_are_not(other: dict[str, Any]) -> None:
    made = config(other)
    strange = ClassPicturesThere("other", FOLDER, likeness_of(made, made.concepts[0]), 99)
    assert codes({}, facts(class_pictures=(strange,))) == set()


def test_too_few_are_not_offered_so_that_nothing_is_written_into_the_other_run() -> None:
    assert codes({}, facts(class_pictures=(there(23),))) == set()


def test_who_has_a_folder_or_needs_none_is_left_alone() -> None:
    world = facts(class_pictures=(there(),))
    assert "class.there" not in codes({FIELD: "/class"}, world)
    assert "class.there" not in codes({"concepts.0.prior.images_per_instance": 0}, world)


def test_what_the_runs_of_a_home_have_made_is_found(tmp_path: Path) -> None:
    run = Run.create(tmp_path, config({"model.name": "first"}), "0.1.0")
    folder = run.path / "class" / "dog"
    folder.mkdir(parents=True)
    for name in ("class-00000.png", "class-00001.png", "class-00000.txt", "mine.png"):
        (folder / name).touch()
    Run.create(tmp_path, config({"model.name": "without"}), "0.1.0")
    broken = Run.create(tmp_path, config({"model.name": "broken"}), "0.1.0")
    (broken.path / "class" / "dog").mkdir(parents=True)
    broken.config_path.write_text("[")
    (found_there,) = made_in(tmp_path)
    assert (found_there.run, found_there.directory, found_there.count) == ("first", folder, 2)
    assert found_there.likeness == likeness_of(config(), config().concepts[0])
    assert list(made_in(tmp_path / "nowhere")) == []


def test_of_more_runs_than_are_looked_at_those_that_made_pictures_last_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_pictures, "MOST_RUNS", 2)
    for name, made in (("a-old", 100), ("b-newest", 300), ("z-newer", 200)):
        run = Run.create(tmp_path, config({"model.name": name}), "0.1.0")
        folder = run.path / "class" / "dog"
        folder.mkdir(parents=True)
        (folder / "class-00000.png").touch()
        os.utime(folder.parent, (made, made))
    for number in range(3):
        Run.create(tmp_path, config({"model.name": f"a-without-{number}"}), "0.1.0")
    assert [there.run for there in made_in(tmp_path)] == ["b-newest", "z-newer"]


def test_the_class_folder_of_a_run_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    runs, folder = tmp_path / "runs", tmp_path / "runs" / "gone" / "class" / "dog"
    mine = config({FIELD: str(folder)})
    own = runs / "my-dog" / "class" / "dog"
    assert run_that_is_gone(str(folder), runs) == "gone" and class_folder(mine, runs / "my-dog", 0) == own
    folder.mkdir(parents=True)  # pictures that were left are used
    assert not run_that_is_gone(str(folder), runs) and class_folder(mine, runs / "my-dog", 0) == folder
    folder.rmdir()
    (runs / "gone" / "run.toml").touch()
    assert not run_that_is_gone(str(folder), runs) and class_folder(mine, runs / "my-dog", 0) == folder
    elsewhere = tmp_path / "pictures"
    assert class_folder(config({FIELD: str(elsewhere)}), runs / "my-dog", 0) == elsewhere
    assert class_folder(config(), runs / "my-dog", 0) == own


def test_the_class_folder_of_a_run_that_is_gone_is_named_and_a_fix_leaves_it(tmp_path: Path) -> None:
    directory = str(tmp_path / "runs" / "gone" / "class" / "dog")
    world = survey(config({FIELD: directory}), tmp_path, decode=False)
    assert world.class_folders_gone == {directory: "gone"}
    world = facts(class_folders_gone={directory: "gone"}, prior_scans=world.prior_scans)
    finding = found("class.run-gone", {FIELD: directory}, world)
    assert finding.level is Level.WARNING and finding.field == FIELD and "gone" in finding.message.text
    assert "class.new-folder" not in codes({FIELD: directory}, world)
    assert finding.fixes[0].changes == {FIELD: ""}
    assert "class.run-gone" not in codes({FIELD: directory, "concepts.0.prior.images_per_instance": 0}, world)
