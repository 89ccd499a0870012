from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.config.findings import Level
from core.data.scan import Picture, Scan, scan
from core.texts import UserError, message
from tests.planning.example import codes, facts, findings, found, mended, scan_of

PRIOR = "concepts.0.prior.directory"


def test_a_folder_of_pictures_is_needed() -> None:
    changes = {"concepts.0.instance.directory": ""}
    assert found("pictures.no-directory", changes, facts(scans=(None,))).level is Level.ERROR


def test_a_folder_without_pictures_is_an_error() -> None:
    assert found("pictures.none", {}, facts(scans=(scan_of(0),))).level is Level.ERROR


def test_a_folder_of_other_files_is_one_error_and_not_one_for_each(tmp_path: Path) -> None:
    for name in ("hosts.conf", "passwd.old", "empty.rules"):
        (tmp_path / name).write_bytes(b"" if "empty" in name else b"127.0.0.1 localhost")
    here = {"concepts.0.instance.directory": str(tmp_path)}
    (finding,) = findings(here, facts(scans=(scan(tmp_path, decode=False),)))
    assert (finding.code, finding.level) == ("pictures.none", Level.ERROR)
    assert finding.message.text == f"There are no pictures in {tmp_path}."
    (tmp_path / "cat.jpg").write_bytes(b"no picture")
    named = [finding.code for finding in findings(here, facts(scans=(scan(tmp_path, decode=False),)))]
    assert sorted(named) == ["picture.empty", *["picture.format"] * 3]


def test_a_folder_that_cannot_be_read_says_why() -> None:
    problem = UserError("pictures.missing", "The folder {path} does not exist.", path="/pictures/dog")
    finding = found("pictures.missing", {}, facts(scans=(problem,)))
    assert finding.level is Level.ERROR and finding.field == "concepts.0.instance.directory"


def test_each_unreadable_picture_is_named_with_its_reason() -> None:
    world = facts(scans=(scan_of(refused=("cut.jpg", "huge.png")),))
    damaged = [f for f in findings({}, world) if f.code == "picture.damaged"]
    assert [f.message.text for f in damaged] == ["cut.jpg is cut short.", "huge.png is cut short."]
    assert all(f.level is Level.ERROR for f in damaged)


def test_unreadable_pictures_are_left_out_where_a_person_decided_so() -> None:
    world = facts(scans=(scan_of(6, refused=("cut.jpg",)),))
    (damaged,) = [finding for finding in findings({}, world) if finding.code == "picture.damaged"]
    (fix,) = damaged.fixes
    left = found("picture.left-out", dict(fix.changes), world)
    assert left.level is Level.WARNING and not left.message.mend and not left.fixes
    assert left.message.text == "cut.jpg is cut short. It is left out."
    assert not [finding for finding in findings(dict(fix.changes), world) if finding.code == "picture.damaged"]


def test_an_unreadable_class_picture_is_left_out_with_a_warning() -> None:
    world = facts(prior_scans=(scan_of(30, refused=("torn.png",)),))
    finding = found("class.unreadable", {PRIOR: "/class"}, world)
    assert finding.level is Level.WARNING and "torn.png" in finding.message.text


def test_a_class_folder_that_is_to_be_made_is_a_hint_and_one_that_is_a_file_an_error() -> None:
    missing = UserError("pictures.missing", "The folder {path} does not exist.", path="/class")
    file = UserError("pictures.not-a-folder", "{path} is not a folder.", path="/class")
    assert found("class.new-folder", {PRIOR: "/class"}, facts(prior_scans=(missing,))).level is Level.HINT
    assert found("pictures.not-a-folder", {PRIOR: "/class"}, facts(prior_scans=(file,))).level is Level.ERROR


def test_what_was_noticed_about_a_picture_is_passed_on() -> None:
    picture = Picture(Path("/pictures/dog/a.gif"), 800, 800, notes=(message("picture.animated", "a.gif moves."),))
    world = facts(scans=(Scan(Path("/pictures/dog"), (picture,) * 3, ()),))
    assert [f.level for f in findings({}, world) if f.code == "picture.animated"] == [Level.HINT] * 3


@pytest.mark.parametrize(("count", "code"), [(1, "pictures.few"), (2, "pictures.few"), (101, "pictures.many")])
def test_very_few_and_very_many_pictures_are_remarked_on(count: int, code: str) -> None:
    assert found(code, {}, facts(scans=(scan_of(count),)))


@pytest.mark.parametrize("count", [3, 100])
def test_three_to_a_hundred_pictures_are_fine(count: int) -> None:
    assert codes({}, facts(scans=(scan_of(count),))) == set()


def test_pictures_smaller_than_the_training_size_are_named() -> None:
    finding = found("pictures.small", {}, facts(scans=(scan_of(3, side=400),)))
    assert finding.level is Level.WARNING
    assert "00.png (400 × 400)" in finding.message.text and "512" in finding.message.text
    assert codes({}, facts(scans=(scan_of(3, side=512),))) == set()


def test_pictures_that_show_nearly_the_same_are_named_in_pairs() -> None:
    folder = Path("/pictures/dog")
    pairs = tuple((folder / "00.png", folder / f"0{number}.png") for number in range(1, 7))
    finding = found("pictures.alike", {}, facts(scans=(replace(scan_of(12), alike=pairs),)))
    assert finding.level is Level.WARNING and finding.field == "concepts.0.instance.directory"
    assert "00.png and 01.png; 00.png and 02.png" in finding.message.text and "and 2 more" in finding.message.text
    assert "more" not in found("pictures.alike", {}, facts(scans=(replace(scan_of(12), alike=pairs[:1]),))).message.text


@pytest.mark.parametrize(
    ("prior", "instance", "code"),
    [
        ("/pictures/dog", "/pictures/dog", "class.same-folder"),
        ("/pictures/dog/class", "/pictures/dog", "class.inside"),
        ("/pictures", "/pictures/dog", "class.around"),
    ],
)
def test_class_and_instance_folders_must_not_mix(prior: str, instance: str, code: str) -> None:
    world = facts(resolved={"/typed/class": Path(prior), "/pictures/dog": Path(instance)})
    finding = found(code, {PRIOR: "/typed/class"}, world)
    assert finding.level is Level.ERROR and finding.field == PRIOR
    assert mended(finding, {PRIOR: "/typed/class"}, world) == [set()]


def test_folders_that_only_share_the_beginning_of_their_name_are_apart() -> None:
    world = facts(resolved={"/c": Path("/pictures/dogs"), "/pictures/dog": Path("/pictures/dog")})
    assert codes({PRIOR: "/c"}, world) == set()


def test_the_class_folder_of_one_concept_must_not_hold_the_pictures_of_another() -> None:
    changes = {"concepts.1.instance.directory": "/b", "concepts.0.prior.directory": "/c"}
    world = facts(resolved={"/pictures/dog": Path("/a"), "/b": Path("/b"), "/c": Path("/b")})
    assert found("class.same-folder", changes, world, concepts=2).field == "concepts.0.prior.directory"


def test_two_concepts_that_learn_from_the_same_pictures_are_remarked_on() -> None:
    changes = {"concepts.1.instance.directory": "/other"}
    world = facts(resolved={"/pictures/dog": Path("/a"), "/other": Path("/a")})
    assert found("pictures.shared", changes, world, concepts=2).level is Level.WARNING
