"""`dbtui queue …`: the arguments of its commands, and their help."""

from __future__ import annotations

from typing import Annotated

import typer

from dbtui.cli_arguments import AsJson, Assignments, Processes, complete_run, home_of
from dbtui.cli_words import Program

queue_app = Program(help="Runs that wait their turn: they are trained one after the other.", no_args_is_help=True)


@queue_app.command("add")
def queue_add(
    context: typer.Context,
    targets: Annotated[
        list[str],
        typer.Argument(metavar="RUN.toml|NAME…", help="Files, or names of runs.", autocompletion=complete_run),
    ],
    assignments: Assignments = None,
    processes: Processes = None,
) -> int:
    """Let runs wait their turn. One that was trained before goes on from its last saved state."""
    from dbtui.commands.queue import add_targets

    return add_targets(home_of(context), targets, assignments=assignments or (), processes=processes)


@queue_app.command("list")
def queue_list(context: typer.Context, as_json: AsJson = False) -> int:
    """List what waits, in order."""
    from dbtui.commands.queue import show_queue

    return show_queue(home_of(context), as_json=as_json)


@queue_app.command("remove")
def queue_remove(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Runs.", autocompletion=complete_run)],
) -> int:
    """Take runs out of the queue. The runs stay."""
    from dbtui.commands.queue import remove_runs

    return remove_runs(home_of(context), names)


@queue_app.command("start")
def queue_start(
    context: typer.Context,
    background: Annotated[
        bool, typer.Option("--background", help="Return at once; the queue goes on when you log out.")
    ] = False,
) -> int:
    """Train what waits, one after the other. A run that fails does not stop the next."""
    from dbtui.commands.queue import start_queue

    return start_queue(home_of(context), background=background)


@queue_app.command("stop")
def queue_stop(
    context: typer.Context,
    now: Annotated[
        bool, typer.Option("--now", help="Save the run that trains, too; it waits again.")
    ] = False,
) -> int:  # fmt: skip
    """End the queue after the run that trains now. What waits stays there."""
    from dbtui.commands.queue import stop_queue

    return stop_queue(home_of(context), now=now)
