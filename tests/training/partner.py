"""The second of two processes: trains along in one run after another, with faults of its own where a test wants them.

A port and a fault come on each line of stdin; how it ended goes to stdout.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from socket import create_server
from typing import Any

import torch
from torch import Tensor

from core.config.options import RunConfig
from core.events import Event
from core.place import Place
from core.runs.folder import Run
from core.runs.helping import HelpingHandle
from core.texts import UserError
from core.training.exchange import Exchange
from core.training.gradients import Gradients
from core.training.meeting import join
from core.training.ranks import Ranks
from core.training.requests import Command
from core.training.saving import Saving
from core.training.trainer import Trainer

ROOT = Path(__file__).parents[2]


class Partner:
    """That process, as the tests hold it. Its exit codes are those of the program."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.training.partner"], cwd=ROOT, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )  # fmt: skip

    @contextmanager
    def together(
        self, run: Run, *, resume: bool = False, fault: str = "", on_stop: Callable[[str], None] = lambda reason: None
    ) -> Iterator[Ranks]:
        """Both processes, with this one first. `fault`: a name in `FAULTS` and the pass after which it comes."""
        listener = create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert self._process.stdin is not None
        print(port, fault, file=self._process.stdin, flush=True)
        ranks = join(Place(0, 2, 0, 2, port=port), listener=listener.detach(), on_stop=on_stop)
        try:
            ranks.tell("run", home=str(run.home), name=run.name, resume=resume)
            yield ranks
        finally:
            ranks.close()

    def train(
        self,
        config: RunConfig,
        home: Path,
        *,
        resume: bool = False,
        poll: Callable[[], Sequence[Command]] = tuple,
        on_event: Callable[[Event], None] = lambda event: None,
        on_stop: Callable[[str], None] = lambda reason: None,
        fault: str = "",
    ) -> list[Event]:
        """A run of both, its events as the first tells them; the other ends alike (`AssertionError`)."""
        run = Run.open(home, config.model.name) if resume else Run.create(home, config, "test")
        events = []
        with self.together(run, resume=resume, fault=fault, on_stop=on_stop) as ranks:
            for event in Trainer(run.config(), run.path, resume=resume, poll=poll, ranks=ranks).run():
                on_event(event)
                events.append(event)
        assert self.outcome() == ("0" if events[-1].kind == "done" else "3")
        return events

    def outcome(self) -> str:
        """How its part in the last run ended: the exit code, or why it failed."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def short_of_memory(parts: Tensor) -> Tensor:
    raise torch.OutOfMemoryError("made by the test")


def not_a_number(parts: Tensor) -> Tensor:
    return parts * torch.nan


def killed(parts: Tensor) -> Tensor:
    os.kill(os.getpid(), signal.SIGKILL)
    return parts


def unreadable(parts: Tensor) -> Tensor:
    raise UserError("picture.unreadable", "0.png cannot be read: its disk has gone.", mend="Bring it back.")


LEFT_OUT: list[tuple[set[str], set[str]]] = [({"c"}, {"a", "c"}), ({"b"}, {"a"}), ({"b"}, {"b"}), (set(), {"c"})]
"""Of a toy model's parameters, step by step: which get no gradient in the first process, which in the second."""


def exchanged(ranks: Ranks) -> list[dict[str, float | None]]:
    """The toy's gradients after each step, `None` where there is none: 1 for each process that had one, summed."""
    toy = {name: torch.nn.Parameter(torch.zeros(3)) for name in "abc"}
    exchange, seen = Exchange(ranks, list(toy.values())), []
    for left_out in LEFT_OUT:
        exchange.expect()
        used = [weight for name, weight in toy.items() if name not in left_out[ranks.rank]]
        torch.autograd.backward(torch.cat(used).sum())
        assert exchange.finish(short=False)
        seen.append({name: None if weight.grad is None else weight.grad.mean().item() for name, weight in toy.items()})
        for weight in toy.values():
            weight.grad = None
    return seen


FAULTS = {
    "memory": short_of_memory, "number": not_a_number, "numbers": not_a_number, "kill": killed, "picture": unreadable,
}  # fmt: skip
LASTING = {"numbers"}
"""They come with every pass from there on."""


def refuse_to_save(self: Saving, *arguments: Any, **more: Any) -> None:
    raise AssertionError("this process has nothing to save")


def main() -> None:
    whole = Gradients._pass
    Saving.save = refuse_to_save  # type: ignore[method-assign,assignment]
    for line in sys.stdin:
        port, fault, after = (*line.split(), "", "0")[:3]
        if fault == "toy":
            ranks = join(Place(1, 2, 1, 2, port=int(port)))
            ranks.hear()
            print(exchanged(ranks), flush=True)
            ranks.close()
            continue
        passes = itertools.count(1)

        def faulty(self: Gradients, *arguments: Any, of: Any = (fault, int(after), passes)) -> Tensor:
            parts = whole(self, *arguments)
            kind, at, counter = of
            if kind not in FAULTS:
                return parts
            number = next(counter)
            return FAULTS[kind](parts) if number == at or (kind in LASTING and number > at) else parts

        Gradients._pass = faulty  # type: ignore[method-assign]
        handle = HelpingHandle(Place(1, 2, 1, 2, port=int(port)))
        while handle.running:
            handle.join(0.2)
            if fault == "stop" and next(passes) > int(after):
                handle.ask_to_stop("terminated")
        print(str(handle.failure or handle.exit_code).replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
