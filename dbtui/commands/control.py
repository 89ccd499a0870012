"""`dbtui pause`, `continue`, `save`, `sample` and `stop`: ask a run for something and wait for its answer."""

from __future__ import annotations

from pathlib import Path

from core.events import Checkpoint, Continued, Event, Failed, Paused, Sample, Stopped, Warned
from core.runs.commands import await_answer, send
from core.runs.folder import Run
from core.runs.home import home_option
from core.texts import say
from dbtui.boundary import DONE, FAILED, complain
from dbtui.printing import print_lines
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
        complain(say(
            "control.slow", "{name} was asked to {command} and has not answered within {seconds:.0f} s. It looks "
            "between steps; `dbtui attach {name}{home}` shows what it is doing.", name=run.name, command=command,
            seconds=ANSWER_SECONDS, home=safe(home_option(home)),
        ))  # fmt: skip
        return FAILED
    if isinstance(answer, Failed):
        complain(safe(f"{answer.message} {answer.advice}".strip()))
        return FAILED
    print_lines(describe_answer(run.name, answer, home))
    return DONE


def describe_answer(name: str, answer: Event, home: Path) -> str:
    """The answering event as a sentence."""
    option = safe(home_option(home))
    match answer:
        case Paused():
            return say("control.paused", "{name} rests at step {step}. `dbtui continue {name}{home}` lets it go on.",
                       name=name, step=answer.step, home=option)  # fmt: skip
        case Continued():
            return say("control.continued", "{name} goes on from step {step}.", name=name, step=answer.step)
        case Checkpoint():
            return say("control.saved", "{name} is saved at step {step}: {path}", name=name, step=answer.step,
                       path=answer.path)  # fmt: skip
        case Sample():
            return say("control.sampled", "{name} made previews at step {step}: {path}", name=name, step=answer.step,
                       path=answer.path)  # fmt: skip
        case Stopped(saved=True):
            return say("control.stopped", "{name} stopped at step {step}, saved. `dbtui train {name} --resume{home}` "
                       "goes on with it.", name=name, step=answer.step, home=option)  # fmt: skip
        case Stopped():
            return say("control.discarded", "{name} stopped at step {step}, not saved. `dbtui train {name} "
                       "--resume{home}` goes on with it.", name=name, step=answer.step, home=option)  # fmt: skip
        case Warned():
            return answer.message
        case _:
            return say("control.did", "{name} did it.", name=name)
