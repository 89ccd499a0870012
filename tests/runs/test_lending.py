"""Class pictures that other runs use: they outlive the run that made them, and are found when it has another name."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.runs import lending
from core.runs.folder import Run
from core.runs.lending import after_deleting, after_renaming, borrowers
from core.runs.lock import RunLock
from core.runs.queue import add, delete_run, read_queue, rename_run
from core.texts import UserError
from tests.runs.fakes import VERSION


def made(home: Path, name: str, directory: object = "", images: int = 2) -> Run:
    changes = {
        "model.name": name, "concepts.0.instance.class_noun": "dog", "concepts.0.prior.directory": str(directory),
        "concepts.0.prior.images_per_instance": images,
    }  # fmt: skip
    return Run.create(home, with_changes(RunConfig(), changes), VERSION)


@pytest.fixture
def lender(tmp_path: Path) -> Run:
    run = made(tmp_path, "clock")
    folder = run.class_pictures / "dog"
    folder.mkdir(parents=True)
    (folder / "class-00000.png").write_bytes(b"a dog")
    (folder / "class-00000.txt").write_text("a dog")
    return run


def test_those_who_use_them_are_known_by_name(lender: Run, tmp_path: Path) -> None:
    folder = lender.class_pictures / "dog"
    made(tmp_path, "own")
    made(tmp_path, "elsewhere", tmp_path / "pictures")
    made(tmp_path, "none-wanted", folder, images=0)
    made(tmp_path, "other", tmp_path / "runs" / "clock-2" / "class" / "dog")
    broken = made(tmp_path, "broken", folder)
    broken.config_path.write_text("[")
    assert borrowers(lender) == []
    made(tmp_path, "b", folder)
    link = tmp_path / "link"
    link.symlink_to(folder)
    made(tmp_path, "a", link)
    assert [run.name for run in borrowers(lender)] == ["a", "b"]


def test_when_the_run_goes_they_keep_the_pictures_and_still_wait(lender: Run, tmp_path: Path) -> None:
    other = made(tmp_path, "other", lender.class_pictures / "dog")
    add(tmp_path, other)
    delete_run(lender, VERSION)
    assert not lender.path.exists() and read_queue(tmp_path).place("other") == 1
    assert other.config().concepts[0].prior.directory == ""
    kept = other.class_pictures / "dog"
    assert (kept / "class-00000.png").read_bytes() == b"a dog" and (kept / "class-00000.txt").read_text() == "a dog"


def test_pictures_that_cannot_be_kept_let_nothing_be_deleted(
    lender: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = made(tmp_path, "other", lender.class_pictures / "dog")

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lending, "_keep", full)
    with pytest.raises(UserError) as refused:
        delete_run(lender, VERSION)
    assert refused.value.code == "disk.full"
    assert (lender.class_pictures / "dog" / "class-00000.png").exists() and borrowers(lender) == [other]


def test_under_another_name_they_are_found(lender: Run, tmp_path: Path) -> None:
    other = made(tmp_path, "other", lender.class_pictures / "dog")
    renamed = rename_run(lender, "watch", VERSION)
    assert other.config().concepts[0].prior.directory == str(renamed.class_pictures / "dog")
    assert borrowers(renamed) == [other]


@pytest.mark.parametrize("change", ["rename", "delete"])
def test_while_one_of_them_trains_nothing_is_taken_from_it(lender: Run, tmp_path: Path, change: str) -> None:
    other = made(tmp_path, "other", lender.class_pictures / "dog")
    before = other.config_path.read_bytes()
    with RunLock(other.lock_path), pytest.raises(UserError) as refused:
        if change == "rename":
            rename_run(lender, "watch", VERSION)
        else:
            delete_run(lender, VERSION)
    assert refused.value.code == "run.lends" and "other" in str(refused.value)
    assert other.config_path.read_bytes() == before
    assert (lender.class_pictures / "dog" / "class-00000.png").exists()


def test_both_questions_name_them(lender: Run, tmp_path: Path) -> None:
    assert after_deleting(lender) == after_renaming(lender) == ""
    other = made(tmp_path, "other", lender.class_pictures / "dog")
    add(tmp_path, other)
    made(tmp_path, "third", lender.class_pictures / "dog")
    assert "stay" in after_deleting(lender) and "new name" in after_renaming(lender)
    assert all(words.endswith("other, third") for words in (after_deleting(lender), after_renaming(lender)))
    with RunLock(other.lock_path), pytest.raises(UserError, match="other trains now"):
        after_deleting(lender)


def test_a_copy_that_breaks_off_is_made_anew_and_nothing_is_deleted(
    lender: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = made(tmp_path, "other", lender.class_pictures / "dog")
    with monkeypatch.context() as broken:
        broken.setattr(Path, "hardlink_to", refuses)
        broken.setattr("core.runs.lending.shutil.copyfile", breaks_off)
        with pytest.raises(UserError):
            delete_run(lender, VERSION)
    assert lender.path.exists()
    monkeypatch.setattr(Path, "hardlink_to", refuses)
    delete_run(lender, VERSION)
    assert (other.class_pictures / "dog" / "class-00000.png").read_bytes() == b"a dog"


def refuses(*given: object) -> None:
    raise OSError(errno.EPERM, "no links here")


def breaks_off(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes()[:2])
    raise OSError(errno.ENOSPC, "full")


@pytest.mark.parametrize("what", ["picture", "folder"])
def test_pictures_behind_links_are_kept_too(lender: Run, tmp_path: Path, what: str) -> None:
    folder, pool = lender.class_pictures / "dog", tmp_path / "pool"
    pool.mkdir()
    moved = folder if what == "folder" else folder / "class-00000.png"
    moved.rename(pool / moved.name)
    moved.symlink_to(pool / moved.name)
    other = made(tmp_path, "other", folder)
    delete_run(lender, VERSION)
    kept = other.class_pictures / "dog" / "class-00000.png"
    assert kept.read_bytes() == b"a dog" and not kept.is_symlink()


def test_where_one_of_them_cannot_be_written_the_run_keeps_its_name(
    lender: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = lender.class_pictures / "dog"
    first, second = made(tmp_path, "a", folder), made(tmp_path, "b", folder)
    write = lending.write_atomic

    def full(path: Path, text: str) -> None:
        if path == second.config_path:
            raise OSError(errno.ENOSPC, "full")
        write(path, text)

    monkeypatch.setattr(lending, "write_atomic", full)
    with pytest.raises(UserError):
        rename_run(lender, "new", VERSION)
    assert lender.path.exists() and not (tmp_path / "runs" / "new").exists()
    assert lender.config().model.name == "clock"
    assert {run.config().concepts[0].prior.directory for run in (first, second)} == {str(folder)}


def test_only_who_trains_is_said_to_train(lender: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "other", lender.class_pictures / "dog")

    def acquire(lock: RunLock, **given: object) -> None:
        raise UserError("file.denied", "not yours")

    monkeypatch.setattr(RunLock, "acquire", acquire)
    with pytest.raises(UserError) as refused:
        delete_run(lender, VERSION)
    assert refused.value.code == "file.denied"
