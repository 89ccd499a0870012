"""The commands, their arguments and their help. What each does stands in `dbtui/commands`, imported when asked for."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from core.texts import say
from dbtui import __version__
from dbtui.boundary import REFUSED, STOPPED, complain
from dbtui.cli_arguments import (
    AsJson,
    Assignments,
    Processes,
    RunName,
    complete_preset,
    complete_run,
    home_of,
)
from dbtui.cli_queue import queue_app
from dbtui.cli_words import Program, complaint, spoken
from dbtui.safe import safe

app = Program(
    name="dbtui",
    help="Teach Stable Diffusion your own subject. Without a command, the app opens.",
    epilog="Exit codes: 0 done, 1 failed while running, 2 refused before anything started, 3 stopped with the state "
    "kept. The program's own options may also stand after the command.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

INTERRUPTED = 130
"""What typer makes of Ctrl+C."""


def run_command(arguments: list[str]) -> int:
    """The exit code of one command line. Usage errors are said in one paragraph; other errors are the caller's."""
    if logging.lastResort is not None:
        logging.lastResort.setLevel(logging.ERROR)  # what libraries mutter is not for the person at the terminal
    try:
        result = spoken(typer.main.get_command(app))(arguments, prog_name="dbtui", standalone_mode=False)
    except TyperException as error:
        if wrong := complaint(error):
            shows = say("cli.help-shows", "`{command} --help` shows what it takes.", command=_command_path(error))
            complain(f"{_sentence(safe(wrong))}{say('message.gap', ' ')}{shows}")
        return REFUSED
    except typer.Abort:
        complain(say("cli.nothing-done", "Nothing was done."))
        return STOPPED
    if result == INTERRUPTED:
        complain(say("stopped.bare", "Stopped."))
        return STOPPED
    return result if isinstance(result, int) else 0


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!", "。", "？")) else f"{text}."


def _command_path(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return safe(context.command_path) if context is not None else "dbtui"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dbtui {__version__}")
        raise typer.Exit


@app.callback()
def program(
    home: Annotated[
        Path | None,
        typer.Option(help="Where runs are kept. Otherwise $DBTUI_HOME, otherwise ~/dbtui.", show_default=False),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(help="en, or zh: 中文. Else $DBTUI_LANGUAGE, the app's choice, the locale.", show_default=False),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback with every error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    context: typer.Context,
    headless: Annotated[bool, typer.Option("--headless", help="In this terminal, without the app.")] = False,
    without_prior: Annotated[
        bool, typer.Option("--without-prior", help="Without class pictures: see what they are for.")
    ] = False,
) -> int:
    """Watch a small model learn something new in about a minute: no network, no graphics card, nothing to prepare."""
    from dbtui.commands.demo import show_demo

    return show_demo(home_of(context), headless=headless, prior=not without_prior)


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The run's name: letters, digits, - _ and .")],
    instance: Annotated[Path, typer.Option(metavar="DIR", help="The folder with your pictures.")],
    source: Annotated[str, typer.Option(help="A diffusers folder, a .safetensors or .ckpt file, a hub id, or demo.")],
    preset: Annotated[
        str, typer.Option(help="What you teach it: `dbtui presets` lists them.", autocompletion=complete_preset)
    ],
    identifier: Annotated[str, typer.Option(metavar="WORD", help="The rare word for your subject: sks, ohwx.")] = "",
    class_noun: Annotated[str, typer.Option("--class", metavar="WORDS", help="What it is: dog, alarm clock.")] = "",
    assignments: Assignments = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("run.toml"),
) -> int:
    """Write a run.toml without the app."""
    from dbtui.commands.new import write_new

    return write_new(
        name,
        preset=preset,
        source=source,
        instance=instance,
        identifier=identifier,
        class_noun=class_noun,
        assignments=assignments or [],
        output=output,
    )


@app.command()
def check(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="RUN.toml", help="The file to check.")],
    assignments: Assignments = None,
    processes: Processes = None,
    as_json: AsJson = False,
) -> int:
    """Say what is wrong with a run.toml, and what it would do: steps, disk, memory. Exit code 2 on an error."""
    from dbtui.commands.check import check_file

    return check_file(file, home_of(context), assignments=assignments or (), processes=processes, as_json=as_json)


@app.command()
def train(
    context: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="RUN.toml|NAME", help="A file, or the name of a run.", autocompletion=complete_run)
    ],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run from its newest state.")] = False,
    assignments: Assignments = None,
    processes: Processes = None,
    background: Annotated[
        bool, typer.Option("--background", help="Return at once; the run goes on when you log out.")
    ] = False,
) -> int:
    """Train in this terminal without the app. Ctrl+C saves and stops; a second one stops at once."""
    from dbtui.commands.train import train_target

    return train_target(
        target,
        home_of(context),
        resume=resume,
        assignments=assignments or [],
        processes=processes,
        background=background,
    )


@app.command()
def attach(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A run; otherwise the one in training.", autocompletion=complete_run),
    ] = None,
) -> int:
    """Open the monitor on a run that another process trains, or on the history of one that ended."""
    from dbtui.commands.runs import attach_to

    return attach_to(name, home_of(context))


@app.command()
def pause(context: typer.Context, name: RunName) -> int:
    """Let a run rest after its current step."""
    from dbtui.commands.control import ask

    return ask(home_of(context), name, "pause")


@app.command("continue")
def continue_(context: typer.Context, name: RunName) -> int:
    """Let a paused run go on."""
    from dbtui.commands.control import ask

    return ask(home_of(context), name, "continue")


@app.command()
def save(context: typer.Context, name: RunName) -> int:
    """Save a state to resume from now."""
    from dbtui.commands.control import ask

    return ask(home_of(context), name, "save")


@app.command()
def sample(context: typer.Context, name: RunName) -> int:
    """Make previews now."""
    from dbtui.commands.control import ask

    return ask(home_of(context), name, "sample")


@app.command()
def stop(
    context: typer.Context,
    name: RunName,
    discard: Annotated[bool, typer.Option("--discard", help="Save nothing: go back to the last saved state.")] = False,
) -> int:
    """Save a run and end its training; `dbtui train NAME --resume` goes on with it."""
    from dbtui.commands.control import ask

    return ask(home_of(context), name, "stop", discard=discard)


app.add_typer(queue_app, name="queue")


@app.command()
def runs(context: typer.Context, as_json: AsJson = False) -> int:
    """List the runs: state, step, loss, speed."""
    from dbtui.commands.runs import show_runs

    return show_runs(home_of(context), as_json=as_json)


@app.command()
def delete(
    context: typer.Context,
    name: RunName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> int:
    """Delete a run with its states, previews and exports; says first what is lost."""
    from dbtui.commands.runs import delete_run

    return delete_run(home_of(context), name, sure=yes)


@app.command()
def export(
    context: typer.Context,
    name: RunName,
    wanted: Annotated[
        str, typer.Option("--format", help="safetensors, ckpt or diffusers. Otherwise what the run asks for.")
    ] = "",
    step: Annotated[
        int | None, typer.Option(min=0, help="The state of this step. Otherwise the newest.", show_default=False)
    ] = None,
    half: Annotated[
        bool | None,
        typer.Option("--half/--full", help="16 or 32 bits. Otherwise what the run asks for.", show_default=False),
    ] = None,
    prompts: Annotated[bool, typer.Option("--prompts", help="Put your prompts into the file's metadata.")] = False,
    ema: Annotated[bool, typer.Option("--ema", help="The average of the weights, if the run keeps one.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to. Otherwise into the run.", show_default=False)
    ] = None,
) -> int:
    """Write a run's model as a file for other programs."""
    from dbtui.commands.export import export_model_of

    return export_model_of(
        home_of(context), name, wanted=wanted, step=step, half=half, prompts=prompts, average=ema, output=output
    )


@app.command()
def generate(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(metavar="NAME|PATH", help="A run, an export, a source or demo.", autocompletion=complete_run),
    ],
    prompt: Annotated[list[str], typer.Option(help="What to show; may be given more than once.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The folder for the pictures.")] = Path(
        "generated"
    ),
    negative: Annotated[str, typer.Option(help="What not to show.")] = "",
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="Otherwise a new one.", show_default=False)
    ] = None,
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Denoising steps.")] = 20,
    guidance: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=50,
            show_default=False,
            help="How closely to follow the prompt. Otherwise as a run's previews do, for anything else 7.5.",
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="Pictures of each prompt: seed, seed + 1, …")] = 1,
) -> int:
    """Make pictures with a run, an export or a source."""
    from dbtui.commands.generate import generate_pictures

    return generate_pictures(
        target,
        home_of(context),
        prompts=prompt,
        negative=negative,
        seed=seed,
        steps=steps,
        guidance=guidance,
        count=count,
        output=output,
    )


@app.command()
def doctor(context: typer.Context, as_json: AsJson = False) -> int:
    """Say what works on this computer, and how to mend what does not."""
    from dbtui.commands.doctor import examine

    return examine(home_of(context), as_json=as_json)


@app.command()
def bench(
    family: Annotated[
        list[str] | None, typer.Option(help="sd1, sd2-base, sd2 or sdxl. Otherwise all.", show_default=False)
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="full, lora, dora, loha or lokr. Otherwise full and lora.", show_default=False),
    ] = None,
    batch: Annotated[list[int] | None, typer.Option(help="Batch size. Otherwise 1.", show_default=False)] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'SECTION.OPTION=VALUE …'",
            help="Options of a run to measure with, parted by spaces: 'performance.compile=true "
            "performance.attention=sdpa'. Each further --setting is measured too.",
            show_default=False,
        ),
    ] = None,
    real: Annotated[
        bool | None,
        typer.Option("--real/--tiny", help="The real networks, or tiny ones. Otherwise real on a GPU.",
                     show_default=False),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, max=3600, help="How long each is measured.", show_default=False)
    ] = None,
    profile: Annotated[bool, typer.Option("--profile", help="Where the time of one step goes, too.")] = False,
    as_json: AsJson = False,
) -> int:  # fmt: skip
    """Measure how fast this computer trains. Families, methods, batch sizes and settings may be given more than once;
    every combination is measured. Nothing is downloaded.
    """
    from dbtui.commands.bench import run_bench

    return run_bench(
        family or (),
        method or (),
        batch or (),
        setting or (),
        real=real,
        seconds=seconds,
        profile=profile,
        as_json=as_json,
    )


@app.command()
def options(
    markdown: Annotated[bool, typer.Option("--markdown", help="A table in Markdown.")] = False,
    as_json: AsJson = False,
) -> int:
    """List every option of a run with its type, default, range, unit and help."""
    from dbtui.commands.options import show_options

    return show_options(markdown=markdown, as_json=as_json)


@app.command()
def presets(as_json: AsJson = False) -> int:
    """List the presets: the built-in ones and your own."""
    from dbtui.commands.options import show_presets

    return show_presets(as_json=as_json)
