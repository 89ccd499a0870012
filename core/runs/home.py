"""Where runs are kept."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from core.texts import UserError

VARIABLE = "DBTUI_HOME"


def home_directory(option: Path | None) -> Path:
    """`--home`, else `$DBTUI_HOME`, else `~/dbtui`, as an absolute path. It need not exist."""
    chosen = option if option is not None else Path(os.environ.get(VARIABLE) or "~/dbtui")
    try:
        return chosen.expanduser().absolute()
    except RuntimeError as error:
        raise UserError("home.unknown", "The home directory in {path} cannot be found.",
                        mend="Name a folder for your runs with --home, or set ${variable}.", path=chosen,
                        variable=VARIABLE) from error  # fmt: skip


def home_option(home: Path) -> str:
    """What makes a command line that is told work as it stands: ` --home DIR`, or nothing for the usual place."""
    return "" if home == home_directory(None) else f" --home {shlex.quote(str(home))}"
