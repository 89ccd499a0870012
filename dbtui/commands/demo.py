"""`dbtui demo`: a whole run in about a minute, in the app or in this terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from core.demo.run import make_demo_run
from core.events import Event, Phase, Sample, Step, Validation
from core.export.using import exported_files
from core.runs.folder import Run
from core.texts import UserError, beside, counted, joined, say
from dbtui import __version__
from dbtui.boundary import DONE, needs_terminal
from dbtui.commandline import command_line
from dbtui.commands.train import Watch
from dbtui.commands.train_display import Display, display_on
from dbtui.demo import SAYS, Demo, draw_more
from dbtui.printing import print_lines
from dbtui.widths import fitted

LOOKS_ALIKE = 0.5
"""From this likeness on the recogniser rather sees the new dog than any other."""


def show_demo(home: Path, *, headless: bool, prior: bool) -> int:
    """Make a run of the demo and train it; the exit code. Raises `UserError` where that is refused."""
    if not headless:
        _needs_terminal()
    run = make_demo_run(home, __version__, prior=prior)
    if headless:
        return _headless(run, Demo(prior))
    from dbtui.app import run_app

    return run_app(home, attach=run.name, begin=True)


def _needs_terminal() -> None:
    try:
        needs_terminal()
    except UserError as error:
        if error.code != "app.no-terminal":
            raise
        raise UserError(
            "app.no-terminal",
            "dbtui opens an app, and there is no terminal here to show it on.",
            mend="`dbtui demo --headless` needs none.",
        ) from error


def _headless(run: Run, demo: Demo) -> int:
    code = Watch(run, lambda stream: DemoDisplay(display_on(stream), demo)).follow(resume=False)
    if code == DONE:
        print_lines(farewell(run, demo))
    return code


def farewell(run: Run, demo: Demo) -> str:
    """Where everything is and what to do next."""
    other = "demo --headless --without-prior" if demo.prior else "demo --headless"
    samples = sorted(run.samples.glob("step-*"))
    after = say("demo.after", "{folder}  afterwards; *-class.png show the plain class", folder=samples[-1])
    rows = [
        (say("demo.pictures", "Pictures"), say("demo.before", "{folder}  before it learned", folder=samples[0])),
        ("", after),
        (say("demo.model", "The model"), joined(exported_files(run.exports))),
        (say("demo.more", "Draw more"), _to_copy(draw_more(run.name, run.home))),
        (say("demo.curves", "The curves"), _to_copy(command_line(f"attach {run.name}", run.home))),
        (say("demo.compare", "Compare"), _to_copy(command_line(other, run.home))),
        (say("demo.own", "Your own"), _to_copy(command_line("", run.home))),
    ]
    learned = SAYS["done-printed" if demo.prior else "done-alone"]
    return "\n".join(["", learned, "", *(f"{fitted(title, 10)}  {text}" for title, text in rows)])


def _to_copy(command: str) -> str:
    """Whole, however narrow the terminal is."""
    return f"`{command}`"


class DemoDisplay:
    """Another display with a sentence for a beginner where something new begins, one line for each round of previews,
    and without the figures that only who knows them misses.
    """

    def __init__(self, display: Display, demo: Demo) -> None:
        self._display, self._demo = display, demo
        self._said: set[str] = set()
        self._step = 0
        self._round: list[Sample] = []
        self._tell("loading")

    def show(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Sample):
                self._round.append(event)
            elif not isinstance(event, Validation):
                if isinstance(event, Step):
                    self._step = event.step
                    self._tell("training")
                elif isinstance(event, Phase):
                    self._phase(event)
                self._display.show([event])

    def remark(self, text: str) -> None:
        self._display.remark(text)

    def close(self) -> None:
        self._display.close()

    def _phase(self, event: Phase) -> None:
        self._tell(event.name)
        if self._round and event.name != "sampling":
            self._display.remark(round_line(self._round))
            self._round = []

    def _tell(self, state: str) -> None:
        words = self._demo.says(state, self._step)
        if words not in self._said:
            self._said.add(words)
            self._display.remark("")
            self._display.remark(words)


def round_line(samples: Sequence[Sample]) -> str:
    """A round of previews in one line: in how many of them the new dog is seen, where somebody judged them."""
    step, folder = samples[0].step, Path(samples[0].path).parent
    told = []
    for prompt, group in groupby(sorted(samples, key=lambda sample: sample.of_class), key=lambda sample: sample.prompt):
        judged = [sample.likeness for sample in group if sample.likeness is not None]
        if judged:
            alike = sum(likeness > LOOKS_ALIKE for likeness in judged)
            told.append(say("demo.judged", "“{prompt}” is the new dog in {alike} of {count}", prompt=prompt,
                            alike=alike, count=len(judged)))  # fmt: skip
    return say("demo.round", "Step {step}: {seen} · {folder}", step=step, folder=folder,
               seen=beside(told) or counted(len(samples), "preview"))  # fmt: skip
