"""A run on disk: a folder that exists whole or not at all."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.config.names import numbered
from core.config.options import NAME_PATTERN, RunConfig
from core.config.parsing import with_changes
from core.config.runfile import made_from, read, to_toml
from core.config.settle import settle
from core.events import Done
from core.files import explain, new_directory, remove_directory, sweep_staging, write_atomic
from core.runs.lock import RunLock
from core.texts import UserError, joined, say

EXTENDABLE = re.compile(
    r"intervals\.\w+|concepts\.\d+\.sample\.\w+|saving\.\w+|performance\.(gradient_checkpointing|attention)|"
    r"batch\.(size|accumulation)"
)
"""What may change between two lives of a run: how long, how often, what is shown, what is kept, and what only changes
how an update is computed. The batch may be cut otherwise as long as each update holds as many pictures.
"""
_STATE = re.compile(r"step-(\d{6,})")


class Run:
    """The folder `<home>/runs/<name>` and the names of what lies in it."""

    def __init__(self, home: Path, name: str) -> None:
        """Raises `UserError` for a name that is none; the folder need not exist."""
        if not is_run_name(name):
            raise UserError(
                "run.bad-name",
                "{name!r} cannot be the name of a run.",
                mend="Use letters, digits, - _ and . (at most 64 of them, beginning with a letter, a digit or _), "
                "for example my-dog.",
                name=name,
            )
        self.home = home
        self.name = name
        self.path = runs_directory(home) / name

    def __repr__(self) -> str:
        return f"Run({str(self.home)!r}, {self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    @property
    def config_path(self) -> Path:
        return self.path / "run.toml"

    @property
    def journal_path(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def commands_path(self) -> Path:
        return self.path / "commands.jsonl"

    @property
    def lock_path(self) -> Path:
        return self.path / "lock"

    @property
    def log_path(self) -> Path:
        return self.path / "train.log"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def class_pictures(self) -> Path:
        return self.path / "class"

    @property
    def exports(self) -> Path:
        return self.path / "export"

    @property
    def started(self) -> bool:
        """Whether it was ever trained."""
        try:
            return self.journal_path.stat().st_size > 0
        except OSError:
            return False

    @classmethod
    def create(cls, home: Path, config: RunConfig, version: str, *, preset: str = "") -> Run:
        """Make the run that `config` describes under its `model.name`: seeds drawn, concepts named, paths absolute.
        `preset` is the id of the one whose values it began with.

        Raises `UserError` for a missing or bad name, a name in use, and a home that cannot be written to.
        """
        if not config.model.name:
            raise UserError("run.no-name", "The run has no name.",
                            mend="Give it one: model.name in run.toml, or --set model.name=NAME.")  # fmt: skip
        run = cls(home, config.model.name)
        text = to_toml(settle(config), version, preset)
        try:
            run.path.parent.mkdir(parents=True, exist_ok=True)
            sweep_staging(run.path.parent)
            with new_directory(run.path, 0o700) as staging:
                write_atomic(staging / run.config_path.name, text)
        except FileExistsError as error:
            if not run.path.parent.is_dir():
                raise explain(NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)), run.path.parent) from error
            raise name_in_use(run) from error
        except OSError as error:
            raise explain(error, run.path) from error
        return run

    @classmethod
    def open(cls, home: Path, name: str) -> Run:
        """The run called `name`; `UserError` with the nearest name if there is none."""
        run = cls(home, name)
        if not is_run(run.path):
            near = difflib.get_close_matches(name, [other.name for other in list_runs(home)], n=1)
            raise UserError(
                "run.unknown",
                "There is no run {name} in {folder}.{nearest}",
                mend="`dbtui runs` lists them; --home names another folder.",
                name=name,
                folder=run.path.parent,
                nearest=say("nearest", " Did you mean {name}?", name=near[0]) if near else "",
            )
        return run

    def config(self) -> RunConfig:
        """What was asked for. Raises `UserError`."""
        return read(self.config_path)

    def preset(self) -> str:
        """The id of the preset that it was made from; empty where there was none or none is known."""
        return made_from(self.config_path)

    def extend(self, changes: Mapping[str, Any], version: str, *, begins_anew: bool = False) -> RunConfig:
        """Change options of a run that will be resumed, and record it in `run.toml`; returns the new configuration.
        With `begins_anew` every option of a run that has no saved state may change: it begins at its first step.

        Raises `UserError` for an option that a run keeps for life, a bad value, or a run in training.
        """
        with RunLock(self.lock_path, trains=False):
            before = self.config()
            fixed = fixed_for_life(before, changes)
            if fixed and not (begins_anew and not saved_steps(self.path)):
                raise UserError("run.fixed-option", "{path} cannot change once a run was made.",
                                mend="intervals, saving and previews can; for the rest make a new run.",
                                path=joined(fixed))  # fmt: skip
            config = settle(with_changes(before, changes))
            try:
                write_atomic(self.config_path, to_toml(config, version, self.preset()))
            except OSError as error:
                raise explain(error, self.config_path) from error
        return config

    def copy(self, changes: Mapping[str, Any], version: str) -> Run:
        """Make a new run of the same options but for `changes`, under the next free name, with the class pictures that
        this one has made. Raises `UserError`.
        """
        name = free_name(self.home, self.name)
        config = with_changes(self.config(), {**changes, "model.name": name})
        made = Run.create(self.home, config, version, preset=self.preset())
        try:
            if self.class_pictures.is_dir():
                shutil.copytree(self.class_pictures, made.class_pictures)
        except (OSError, shutil.Error) as error:
            made.delete()
            reason = error if isinstance(error, OSError) and error.errno is not None else OSError(errno.EIO, str(error))
            raise explain(reason, made.class_pictures) from error
        return made

    def rename(self, name: str, version: str) -> Run:
        """Give the run another name, in its folder and in `run.toml`; what was exported keeps its own. In the queue it
        keeps the old one: `queue.rename_run` knows that, and who uses its class pictures.

        Raises `UserError`, and changes nothing, for a bad name, one in use, a run in training or a folder that cannot
        be written.
        """
        renamed = Run(self.home, name)
        with RunLock(self.lock_path, trains=False):
            config = with_changes(self.config(), {"model.name": name})
            if renamed.path.exists():
                if not is_run(renamed.path):
                    raise _no_run(renamed)
                raise UserError("run.rename-taken", "There is a run {name} already.", mend="Choose another name.",
                                name=name)  # fmt: skip
            try:
                self.path.rename(renamed.path)
                try:
                    write_atomic(renamed.config_path, to_toml(config, version, renamed.preset()))
                except OSError:
                    renamed.path.rename(self.path)
                    raise
            except OSError as error:
                raise explain(error, renamed.path) from error
        return renamed

    def delete(self) -> None:
        """Remove the folder and everything in it; `queue.delete_run` knows a run that waits or lends. Raises
        `UserError` if a process trains it or it cannot be removed.
        """
        with RunLock(self.lock_path, trains=False):
            try:
                remove_directory(self.path)
            except OSError as error:
                raise explain(error, self.path) from error


def runs_directory(home: Path) -> Path:
    return home / "runs"


def is_run_name(name: str) -> bool:
    """Whether `name` is safe as a folder and in a command: no path, no hidden file, no option."""
    return re.fullmatch(NAME_PATTERN, name) is not None and not name.startswith((".", "-"))


def is_run(path: Path) -> bool:
    """Whether the folder at `path` is a run; a link that leads out of the runs' folder is none."""
    return (path / "run.toml").is_file() and path.resolve().parent == path.parent.resolve()


def list_runs(home: Path) -> list[Run]:
    """Every run in `home`, by name; none if there is no home yet. Raises `UserError` if it cannot be read."""
    folder = runs_directory(home)
    try:
        names = sorted(path.name for path in folder.iterdir() if is_run_name(path.name) and is_run(path))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise explain(error, folder) from error
    return [Run(home, name) for name in names]


def fixed_for_life(config: RunConfig, changes: Mapping[str, Any]) -> list[str]:
    """Those of `changes` that a run with saved states cannot take."""
    fixed = [path for path in changes if not EXTENDABLE.fullmatch(path)]
    cut = [path for path in changes if path.startswith("batch.")]
    if cut:
        before, after = config.batch, with_changes(config, {path: changes[path] for path in cut}).batch
        if before.size * before.accumulation != after.size * after.accumulation:
            fixed += cut
    return sorted(fixed)


def saved_steps(folder: Path) -> list[int]:
    """The steps of the states that the run in `folder` has on disk, rising."""
    try:
        found = [_STATE.fullmatch(path.name) for path in (folder / "checkpoints").iterdir()]
    except OSError:
        return []
    return sorted(int(match[1]) for match in found if match)


def free_name(home: Path, name: str) -> str:
    """`clock-2`, or the next number that no run has."""
    return numbered(name, lambda candidate: (runs_directory(home) / candidate).exists())


def name_in_use(run: Run) -> UserError:
    """Both ways to go on from a name that is taken."""
    if not is_run(run.path):
        return _no_run(run)
    from core.runs.history import ending_of

    how = "--resume"
    with contextlib.suppress(UserError):
        how = "--resume --set intervals.epochs=…" if isinstance(ending_of(run), Done) else how
    return UserError(
        "run.name-in-use",
        "There is a run {name} in {folder} already.",
        mend="To go on with it: `dbtui train {name} {how}`. To make another one, give it another name: "
        "--set model.name=NAME.",
        name=run.name,
        how=how,
        folder=run.path.parent,
    )


def _no_run(run: Run) -> UserError:
    return UserError("run.no-run", "{path} is there already and is no run.",
                     mend="Take another name, or move that folder away.", path=run.path)  # fmt: skip
