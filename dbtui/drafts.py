"""Unfinished wizards: `<home>/drafts/<id>.toml` with the text of every touched field as it was typed."""

from __future__ import annotations

import os
import re
import secrets
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SUFFIX = ".toml"
STEPS = ("model", "concepts", "parameters", "review")


@dataclass(frozen=True)
class Draft:
    """`texts` maps option paths to raw text; only fields that were touched stand there. `changed` in unix seconds;
    `copy_of` is the name of the run that it began with.
    """

    id: str
    preset: str = ""
    step: str = "model"
    concepts: int = 1
    texts: Mapping[str, str] = field(default_factory=dict)
    changed: float = 0.0
    copy_of: str = ""

    @property
    def title(self) -> str:
        """The run's name as typed so far, else the identifier, else nothing."""
        return self.texts.get("model.name") or self.texts.get("concepts.0.instance.identifier", "")


def without_concept(texts: Mapping[str, str], number: int) -> Iterator[tuple[str, str]]:
    """`texts` as they are once concept `number` (from 0) is taken out: those after it move up."""
    for path, text in texts.items():
        parts = path.split(".")
        if parts[0] == "concepts":
            if int(parts[1]) == number:
                continue
            parts[1] = str(int(parts[1]) - (int(parts[1]) > number))
        yield ".".join(parts), text


def new_id() -> str:
    """A fresh name for a draft; sorts by when it was begun."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def drafts_directory(home: Path) -> Path:
    return home / "drafts"


def save_draft(home: Path, draft: Draft) -> None:
    """Write the draft atomically. Raises `OSError` or `UserError` where the home cannot be written."""
    import tomlkit

    from core.files import write_atomic

    document = tomlkit.document()
    document.add("preset", tomlkit.item(draft.preset))
    document.add("step", tomlkit.item(draft.step))
    document.add("concepts", tomlkit.item(draft.concepts))
    if draft.copy_of:
        document.add("copy_of", tomlkit.item(draft.copy_of))
    document.add("texts", tomlkit.item(dict(draft.texts)))
    directory = drafts_directory(home)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomic(directory / f"{draft.id}{SUFFIX}", tomlkit.dumps(document))


def delete_draft(home: Path, draft_id: str) -> None:
    """Remove the draft if it is there."""
    (drafts_directory(home) / f"{draft_id}{SUFFIX}").unlink(missing_ok=True)


def list_drafts(home: Path) -> list[Draft]:
    """Every readable draft, the last changed first. A damaged file is left where it is and not listed."""
    try:
        entries = [entry for entry in os.scandir(drafts_directory(home)) if entry.is_file(follow_symlinks=False)]
    except OSError:
        return []
    found = (_read(Path(entry.path)) for entry in entries if re.fullmatch(r"[\w-]{1,64}\.toml", entry.name))
    return sorted((draft for draft in found if draft is not None), key=lambda draft: draft.changed, reverse=True)


def _read(path: Path) -> Draft | None:
    try:
        held = tomllib.loads(path.read_bytes().decode("utf-8"))
        texts = held.get("texts", {})
        return Draft(
            id=path.name.removesuffix(SUFFIX),
            preset=str(held.get("preset", "")),
            step=held["step"] if held.get("step") in STEPS else "model",
            concepts=min(64, max(1, int(held.get("concepts", 1)))),
            texts={str(key): str(value) for key, value in texts.items()},
            changed=path.stat().st_mtime,
            copy_of=str(held.get("copy_of", "")),
        )
    except (OSError, ValueError, TypeError, AttributeError):
        return None
