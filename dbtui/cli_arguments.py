"""What several commands take: their arguments, and what a shell completes them with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def home_of(context: typer.Context) -> Path:
    from core.runs.home import home_directory

    return home_directory(context.find_root().params.get("home"))


def complete_run(context: typer.Context, incomplete: str) -> list[str]:
    from core.runs.folder import list_runs

    return [run.name for run in list_runs(home_of(context)) if run.name.startswith(incomplete)]


def complete_preset(incomplete: str) -> list[str]:
    from core.config.presets import load_presets, user_presets_directory

    known = load_presets(user_presets_directory()).known
    return [name for name in known if name.startswith(incomplete) and name.isprintable()]


def complete_option(incomplete: str) -> list[str]:
    from core.config.table import option_table

    paths = [option.path.replace("*", "0") + "=" for option in option_table()]
    return [path for path in paths if path.startswith(incomplete)]


RunName = Annotated[str, typer.Argument(metavar="NAME", help="A run.", autocompletion=complete_run)]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.OPTION=VALUE",
        help="Change one option; may be given more than once. `dbtui options` lists them.",
        autocompletion=complete_option,
        show_default=False,
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        "--processes",
        min=1,
        metavar="N",
        help="Train with so many processes on this computer, each on a graphics card of its own.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: JSON on stdout.")]
