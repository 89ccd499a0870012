"""`dbtui pause`, `continue`, `save`, `sample` and `stop`: ask a run for something and wait for its answer."""

from __future__ import annotations

from pathlib import Path

from core.events import Checkpoint, Continued, Event, Failed, Paused, Sample, Stopped, Warned
from core.runs.commands import await_answer, send
from core.runs.folder import Run
from dbtui.boundary import DONE, FAILED, complain
from dbtui.printing import say
from dbtui.safe import safe

ANSWER_SECONDS = 10.0


def ask(home: Path, name: str, command: str, *, discard: bool = False) -> int:
    """Send `command` to the run and say what it answered; 1 if it has not in time.

    Raises `UserError` where nobody trains it.
    """
    run = Run.open(home, name)
    number = send(run, command, discard=True) if discard else send(run, command)
    answer = await_answer(run, number, timeout=ANSWER_SECONDS)
    if answer is None:
        complain(
            f"{run.name} was asked to {command} and has not answered within {ANSWER_SECONDS:.0f} s. It looks between "
            f"steps; `dbtui attach {run.name}` shows what it is doing."
        )
        return FAILED
    if isinstance(answer, Failed):
        complain(safe(f"{answer.message} {answer.advice}".strip()))
        return FAILED
    say(describe_answer(run.name, answer))
    return DONE


def describe_answer(name: str, answer: Event) -> str:
    """The answering event as a sentence."""
    match answer:
        case Paused():
            return f"{name} rests at step {answer.step}. `dbtui continue {name}` lets it go on."
        case Continued():
            return f"{name} goes on from step {answer.step}."
        case Checkpoint():
            return f"{name} is saved at step {answer.step}: {answer.path}"
        case Sample():
            return f"{name} made previews at step {answer.step}: {answer.path}"
        case Stopped():
            kept = "saved" if answer.saved else "not saved"
            return f"{name} stopped at step {answer.step}, {kept}. `dbtui train {name} --resume` goes on with it."
        case Warned():
            return answer.message
        case _:
            return f"{name} did it."
