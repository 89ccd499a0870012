"""Class pictures in one run's folder that other runs use: what becomes of those when it is renamed or deleted."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from core.config.parsing import with_changes
from core.config.prompts import concept_name
from core.config.runfile import read, to_toml
from core.config.settle import absolute
from core.files import explain, staged_file, write_atomic
from core.runs.folder import Run, list_runs
from core.runs.lock import RunLock, owner, taken
from core.texts import UserError, listed, say

_Borrowed = dict[int, Path]
"""Number of a concept → where its class pictures lie, counted from the folder of the run that lends them."""


def borrowers(run: Run) -> list[Run]:
    """The other runs of its home whose class pictures lie in the folder of `run`, by name. Raises `UserError`."""
    return [other for other in list_runs(run.home) if _borrowed(run, other)]


def after_deleting(run: Run) -> str:
    """What becomes of those who use its class pictures; empty where nobody does. Raises `UserError` where one of them
    trains now.
    """
    names = _names(run)
    return (
        say("lending.kept", "Its class pictures stay with the runs that use them: {runs}", runs=names) if names else ""
    )


def after_renaming(run: Run) -> str:
    """The same where it gets another name."""
    names = _names(run)
    return say("lending.found", "The runs that use its class pictures find them under the new name: {runs}",
               runs=names) if names else ""  # fmt: skip


def _names(run: Run) -> str:
    users = borrowers(run)
    for other in users:
        if owner(other.lock_path) is not None:
            raise _is_used(run, other)
    return listed(other.name for other in users)


def rename(run: Run, name: str, version: str) -> Run:
    """`run.rename`, after which those who use its class pictures find them. Raises `UserError`, and changes nothing."""
    with _held_borrowers(run) as found:
        made = run.rename(name, version)
        try:
            for other, folders in found:
                _point(other, {number: str(made.path / inside) for number, inside in folders.items()}, version)
        except UserError:
            made.rename(run.name, version)
            for other, folders in found:
                with contextlib.suppress(UserError):  # that one says the old place still
                    _point(other, {number: str(run.path / inside) for number, inside in folders.items()}, version)
            raise
    return made


def delete(run: Run, version: str) -> None:
    """`run.delete`, before which those who use its class pictures get them as their own. Raises `UserError`."""
    holder = owner(run.lock_path)
    if holder is not None:
        raise taken(run.lock_path, holder)
    with _held_borrowers(run) as found:
        for other, folders in found:
            concepts = other.config().concepts
            for number, inside in folders.items():
                own = other.class_pictures / concept_name(concepts[number], number)
                try:
                    _keep(run.path / inside, own)
                except OSError as error:
                    raise explain(error, own) from error
            _point(other, dict.fromkeys(folders, ""), version)
        run.delete()


def _keep(folder: Path, own: Path) -> None:
    """All files of `folder` in `own` too: one more name for the same bytes where the disk can do that, else a copy.
    What is there already stays.
    """
    for place in sorted(path for path in folder.rglob("*") if path.is_file()):
        target, source = own / place.relative_to(folder), place.resolve()
        if os.path.lexists(target):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(source)
        except OSError:
            with staged_file(target) as staging:
                shutil.copyfile(source, staging)


def _borrowed(run: Run, other: Run) -> _Borrowed:
    if other == run:
        return {}
    try:
        concepts = read(other.config_path).concepts
    except UserError:
        return {}  # nobody can train it as it is
    found = {}
    for number, concept in enumerate(concepts):
        if concept.prior.directory and concept.prior.images_per_instance:
            with contextlib.suppress(OSError, RuntimeError, UserError):
                named = absolute(concept.prior.directory)
                for folder, home in ((named, run.path.absolute()), (named.resolve(), run.path.resolve())):
                    if folder.is_relative_to(home):
                        found[number] = folder.relative_to(home)
    return found


@contextlib.contextmanager
def _held_borrowers(run: Run) -> Iterator[list[tuple[Run, _Borrowed]]]:
    """Nobody trains them meanwhile. Raises `UserError` where somebody does."""
    with contextlib.ExitStack() as locks:
        found = []
        for other in borrowers(run):
            try:
                locks.enter_context(RunLock(other.lock_path, trains=False))
            except UserError as error:
                if error.code != "run.locked":
                    raise
                raise _is_used(run, other) from error
            found.append((other, _borrowed(run, other)))
        yield found


def _is_used(run: Run, other: Run) -> UserError:
    return UserError("run.lends", "{other} trains now and uses the class pictures of {name}.",
                     mend="Wait until it has ended, or stop it first.", other=other.name, name=run.name)  # fmt: skip


def _point(other: Run, folders: dict[int, str], version: str) -> None:
    changes = {f"concepts.{number}.prior.directory": folder for number, folder in folders.items()}
    config = with_changes(other.config(), changes)
    try:
        write_atomic(other.config_path, to_toml(config, version, other.preset()))
    except OSError as error:
        raise explain(error, other.config_path) from error
