"""`dbtui new`: a `run.toml` without the app."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.presets import apply, load_presets, user_presets_directory
from core.config.runfile import to_toml
from core.config.settle import absolute_paths
from core.demo.preset import apply_for_source
from core.files import explain, write_atomic
from core.texts import UserError, say
from dbtui import __version__
from dbtui.boundary import DONE
from dbtui.commands.configs import read_assignments
from dbtui.printing import print_lines


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
    presets = load_presets(user_presets_directory())
    if preset not in presets:
        raise UserError("preset.unknown", "There is no preset {name}.", mend="Choose one of {known}.", name=preset,
                        known=", ".join(presets))  # fmt: skip
    if output.exists():
        raise UserError("new.exists", "{path} exists already and is left as it is.",
                        mend="Choose another file with -o.", path=output)  # fmt: skip
    config = apply_for_source(apply(RunConfig(), presets[preset]), source)
    subject = {
        "model.name": name,
        "model.source": source,
        "concepts.0.instance.directory": str(instance),
        "concepts.0.instance.identifier": identifier,
        "concepts.0.instance.class_noun": class_noun,
    }
    config = absolute_paths(with_changes(config, subject | read_assignments(assignments)))
    try:
        write_atomic(output, to_toml(config, __version__))
    except OSError as error:
        raise explain(error, output) from error
    print_lines(say("new.wrote", "Wrote {path}. `dbtui check {path}` says what is wrong with it, `dbtui train {path}` "
                    "trains it.", path=output))  # fmt: skip
    return DONE
