"""`dbtui` and `python -m dbtui`. Without a command the app opens, by a way that imports little."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

OWN = ("--home", "--language")
"""Options with a value that are the program's, not a command's."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program with `arguments` (the command line's by default); returns its exit code."""
    _open_missing_streams()
    _import_our_own_rooms()
    from dbtui.boundary import guarded

    front, rest = _split(list(sys.argv[1:] if arguments is None else arguments))
    debug = "--debug" in front
    return guarded(lambda: _run(front, rest), debug)


def _run(front: dict[str, str | None], rest: list[str]) -> int:
    from core.languages import speak

    speak(front.get("--language"), os.environ)
    if rest or "_DBTUI_COMPLETE" in os.environ:
        before = [word for pair in front.items() for word in pair if word is not None]
        return _run_command([*before, *rest])
    home = front.get("--home")
    return _open_app(Path(home) if home is not None else None)


def _open_app(home: Path | None) -> int:
    from core.runs.home import home_directory
    from dbtui.boundary import needs_terminal

    directory = home_directory(home)
    needs_terminal()
    from dbtui.app import run_app

    return run_app(directory)


def _run_command(arguments: list[str]) -> int:
    from dbtui.cli import run_command

    return run_command(arguments)


def _split(arguments: list[str]) -> tuple[dict[str, str | None], list[str]]:
    """The program's own options, wherever they stand (`dbtui train x --home d`), apart from the command and its own."""
    front: dict[str, str | None] = {}
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        name, equals, value = argument.partition("=")
        if argument == "--":
            rest += [argument, *remaining]
        elif argument == "--debug":
            front[argument] = None
        elif name in OWN and equals:
            front[name] = value
        elif argument in OWN and (following := next(remaining, None)) is not None:
            front[argument] = following
        else:
            rest.append(argument)
    return front, rest


def _open_missing_streams() -> None:
    """Give the process the standard streams that it was started without (`<&-`, `>&-`).

    Their descriptors would otherwise go to the first files opened, and what is printed would land in these.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - as long as we live


def _import_our_own_rooms() -> None:
    """Make sure that `core` is the folder beside this package.

    `python -m` looks into the current directory first, and `core` is a common name: a folder of that name there (or
    earlier on PYTHONPATH) must not stand in for ours.
    """
    rooms = Path(__file__).resolve().parent.parent
    if sys.path and not sys.flags.safe_path and sys.path[0] in ("", str(Path.cwd())) and rooms != Path.cwd():
        del sys.path[0]
    sys.path.insert(0, str(rooms))
    try:
        import core  # noqa: F401 - from now on `core` is this one
    finally:
        sys.path.remove(str(rooms))


if __name__ == "__main__":
    sys.exit(main())
