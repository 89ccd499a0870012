"""`dbtui new`: a `run.toml` without the app."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.presets import LORA_ENABLED, Preset, load_presets, user_presets_directory
from core.config.runfile import to_toml
from core.config.settle import absolute_paths
from core.data.scan import scan
from core.demo.preset import chosen
from core.families import FAMILIES
from core.families.describe import describe
from core.files import explain, write_atomic
from core.texts import UserError, say
from dbtui import __version__
from dbtui.boundary import DONE, complain
from dbtui.commands.configs import read_assignments
from dbtui.printing import print_lines
from dbtui.safe import safe, safe_message


def write_new(
    name: str,
    *,
    preset: str,
    source: str,
    instance: Path,
    identifier: str,
    class_noun: str,
    assignments: Sequence[str],
    output: Path,
) -> int:
    """Write the file `output`. A `UserError` if it exists or cannot be written, or for a preset or an option that is
    none.
    """
    found = load_presets(user_presets_directory()).find(preset)
    if output.exists():
        raise UserError("new.exists", "{path} exists already and is left as it is.",
                        mend="Choose another file with -o.", path=output)  # fmt: skip
    subject: dict[str, Any] = {
        "model.name": name,
        "model.source": source,
        "concepts.0.instance.directory": str(instance),
        "concepts.0.instance.identifier": identifier,
        "concepts.0.instance.class_noun": class_noun,
    }
    changes = subject | read_assignments(assignments)
    asked = with_changes(RunConfig(), changes)
    family = _family(asked, found)
    lora = asked.lora.enabled if LORA_ENABLED in changes else None
    config = chosen(RunConfig(), found, source=asked.model.source, family=family, lora=lora)
    config = absolute_paths(with_changes(config, changes))
    _look_at_pictures(config)
    try:
        write_atomic(output, to_toml(config, __version__, found.id))
    except OSError as error:
        raise explain(error, output) from error
    print_lines(say("new.wrote", "Wrote {path}. `dbtui check {path}` says what is wrong with it, `dbtui train {path}` "
                    "trains it.", path=output))  # fmt: skip
    return DONE


def _family(asked: RunConfig, preset: Preset) -> str:
    """The family of the source, for which the preset may have other numbers; where it cannot be known yet, the one that
    was named, else none. Says what is wrong with the source, and where the numbers may be others.
    """
    model = asked.model
    try:
        return describe(model.source, model.revision, model.variant, family=model.family).family
    except UserError as error:
        named = model.family in FAMILIES
        unsure = preset.depends_on_family and not named
        if unsure or error.code != "source.not-downloaded":
            told = [say("new.note", "Note: {problem}", problem=safe(error.message.text))]
            if unsure:
                told.append(say("new.numbers", "For now the numbers are those for Stable Diffusion 1: if it is another "
                                "kind, say so with `--set model.family=sdxl`."))  # fmt: skip
            complain(say("message.gap", " ").join(told))
        return model.family if named else ""


def _look_at_pictures(config: RunConfig) -> None:
    """Say it where the folder cannot be looked into."""
    try:
        scan(Path(config.concepts[0].instance.directory), decode=False)
    except UserError as error:
        complain(say("new.note", "Note: {problem}", problem=safe_message(error.message)))
