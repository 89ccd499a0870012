"""Several processes that train one run: who is who, what they agree on, and what becomes of them when one goes.

Rank 0 alone owns the run's folder: what only it does (commands, states, previews, pauses), the others wait out. Every
wait ends: a rank that dies is known at once, one that hangs after `SILENCE_SECONDS`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from core.data.batches import Slot
from core.events import Event
from core.place import ALONE, Place
from core.seeds import derive
from core.texts import Message, UserError, say
from core.training.requests import Command, Poll, Requests, StopRequested
from core.training.words import FAILED, Word, Words

T = TypeVar("T")
HOST = torch.device("cpu")

SILENCE_SECONDS = 1800.0
"""After so long without a sign of life another process counts as hung."""
TICK_SECONDS = 10.0
LOOK_SECONDS = 1.0
"""How often a process that waits for others looks whether they are still there."""
STUCK_SECONDS = 20.0
"""How long a process may still wait for one that has gone: a card's kernels do not notice by themselves."""
SAID_SECONDS = 2.0
"""How long to wait for the reason when a connection breaks."""


class RankLost(UserError):
    """Another process of this run has ended, or does not answer."""


@dataclass(frozen=True)
class Told:
    """A command that came from rank 0."""

    command: str
    id: str
    fields: Mapping[str, Any]


class Ranks:
    """This process among those of a run. Where there is one alone, all of this does nothing."""

    def __init__(self, place: Place = ALONE) -> None:
        """Alone; `meeting.join` makes one that is not."""
        self.place = place
        self.rank, self.count = place.rank, place.count
        self.lost: RankLost | None = None
        self._name, self._log = "NAME", "train.log"
        self.agreement: dist.ProcessGroup | None = None
        """Among the hosts, whatever the devices do."""
        self._words: Words | None = None
        self._on_stop: Callable[[str], None] = lambda reason: None
        self._give_up: Callable[[UserError], None] = lambda error: None
        self._lost_told = self._closing = False
        self._ticked = time.monotonic()
        self._waiting_since: float | None = None
        self._known = threading.Event()

    def connect(
        self,
        agreement: dist.ProcessGroup,
        words: dist.ProcessGroup,
        on_stop: Callable[[str], None],
        give_up: Callable[[UserError], None],
    ) -> None:
        """From now on these groups lead to the others. `on_stop` hears of another rank that was told to end; `give_up`
        ends a process that cannot end in order.
        """
        self.agreement = agreement
        self._on_stop, self._give_up = on_stop, give_up
        peers = range(1, self.count) if self.main else (0,)
        self._words = Words(peers, words, self._on_word, self._on_loss)

    def train(self, name: str, log: Path) -> None:
        """The run of that name is what they train; it is named where they lose each other."""
        self._name, self._log = name, str(log)

    @property
    def main(self) -> bool:
        return self.rank == 0

    def share(self, slots: Sequence[Slot]) -> Sequence[Slot]:
        """This rank's part of an effective batch."""
        each = len(slots) // self.count
        return slots[self.rank * each : (self.rank + 1) * each]

    def alone(self, work: Callable[[], Generator[Event, None, T]], requests: Requests) -> Generator[Event, None, T]:
        """Rank 0 does this and the others wait for it; all get what it returns (plain values).

        Raises `StopRequested` in all of them where it does in rank 0.
        """
        if self.main:
            value = yield from work()
            self.tell("go", value=value)
            return value
        return self._heard_value(requests)  # type: ignore[no-any-return]

    def first(self, work: Callable[[], Generator[Event, None, T]], requests: Requests) -> Generator[Event, None, T]:
        """Rank 0 does this first and then each of the others, who find done what can be done once for all."""
        if self.main:
            value = yield from work()
            self.tell("go", value=None)
            return value
        self._heard_value(requests)
        return (yield from work())

    def told(self, compute: Callable[[], T], requests: Requests) -> T:
        """What rank 0 computes (plain values), in all of them."""
        if self.main:
            value = compute()
            self.tell("go", value=value)
            return value
        return self._heard_value(requests)  # type: ignore[no-any-return]

    def largest(self, *numbers: int) -> list[int]:
        """The largest of each over all ranks. The host waits for the others', not for its device."""
        if self.count == 1:
            return list(numbers)
        values = torch.tensor(numbers)
        with self.waiting():
            self.wait_for(dist.all_reduce(values, op=dist.ReduceOp.MAX, group=self.agreement, async_op=True))
        return [int(value) for value in values.tolist()]

    def first_of(self, numbers: Tensor) -> Tensor:
        """Rank 0's integers on the host, in all of them."""
        with self.waiting():
            self.wait_for(dist.broadcast(numbers, group_src=0, group=self.agreement, async_op=True))
        return numbers

    def alike(self, text: str) -> bool:
        """Whether all ranks say the same."""
        number = derive(0, text)
        largest, smallest = self.largest(number, -number)
        return largest == -smallest

    def add_up(self, figures: Tensor) -> None:
        """`figures` summed over all ranks, in place; on a card nothing waits for it here."""
        if self.count > 1:
            with self.waiting():
                self.wait_for(dist.all_reduce(figures, async_op=True), figures.device)

    def tell(self, kind: str, **fields: Any) -> None:
        """Rank 0 to all the others, any other rank to rank 0."""
        self._ticked = time.monotonic()
        if self._words is not None:
            self._words.tell(kind, **fields)

    def tell_stop(self, command: Command | None) -> None:
        """Rank 0: the run is to end here; where the others wait for it, they learn it now."""
        if self.main and command is not None:
            self.tell("stop", command=command.command, id=command.id, fields=dict(command.fields))

    def hear(self) -> Word:
        """What rank 0 says next. Raises `RankLost`."""
        assert self._words is not None
        while True:
            word = self._words.hear(SILENCE_SECONDS)
            if self.lost is not None:
                raise self.lost
            if word is None:
                raise self._silent(say("processes.no-sign", "process 0 gave no sign of life for {seconds:.0f} s",
                                       seconds=SILENCE_SECONDS))  # fmt: skip
            if word["kind"] != "tick":
                return word

    def watching(self, poll: Poll) -> Poll:
        """`poll`, and a sign of life for the others; raises `RankLost` once, where one of them has gone."""
        if self.count == 1:
            return poll

        def watched() -> Sequence[Command]:
            if self.main and time.monotonic() - self._ticked >= TICK_SECONDS:
                self.tell("tick")
            if self.lost is not None and not self._lost_told:
                self._lost_told = True
                raise self.lost
            return poll()

        return watched

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Around a wait for other ranks: raises `RankLost` in the place of a connection that broke."""
        self._waiting_since = time.monotonic()
        try:
            yield
        except (torch.OutOfMemoryError, RankLost):
            raise
        except RuntimeError as error:
            if self.count > 1 and self._known.wait(SAID_SECONDS) and self.lost is not None:
                self._lost_told = True
                raise self.lost from error
            if isinstance(error, dist.DistError) or "gloo" in str(error):
                raise self._silent(str(error).splitlines()[0].rstrip(".")) from error
            raise
        finally:
            self._waiting_since = None

    def wait_for(self, work: dist.Work, device: torch.device = HOST) -> None:
        """Until `work` is done; on a card nothing but its stream waits. Raises `RankLost` once another rank has gone,
        even where its connections still stand.
        """
        if device.type != "cpu":
            work.wait()
            return
        while True:
            try:
                work.wait(timedelta(seconds=LOOK_SECONDS))
                return
            except RuntimeError:
                if work.is_completed():  # it failed; else it is not done yet
                    raise
            if self.lost is not None:
                self._lost_told = True
                raise self.lost

    def close(self, failure: Message | None = None) -> None:
        """Part from the others; they are told of a `failure`. Afterwards this process is alone."""
        words, self._words = self._words, None
        if words is None:
            return
        self._closing = True
        if failure is not None:
            words.tell(FAILED, code=failure.code, text=failure.text, advice=failure.advice)
        parted = words.say_goodbye() if failure is None and self.lost is None else False
        if parted or not torch.cuda.is_available():  # a card's group may wait for ever for one that has gone
            dist.destroy_process_group()

    def _heard_value(self, requests: Requests) -> Any:
        word = self.hear()
        if word["kind"] == "stop":
            requests.stop = Told(word["command"], word["id"], word["fields"])
            raise StopRequested
        return word["value"]

    def _on_word(self, word: Word) -> bool:
        if self.main and word["kind"] == "stop":
            self._on_stop(word["reason"])
            return False
        return True

    def _on_loss(self, rank: int, last: Word | None) -> None:
        if self._closing or self.lost is not None:
            return
        self.lost = self._gone(rank, last)
        self._known.set()
        threading.Thread(target=self._end_if_stuck, name="lost rank", daemon=True).start()

    def _end_if_stuck(self) -> None:
        """Where this process waits on for what will never come, it cannot end in order."""
        noticed = time.monotonic()
        while not self._closing:
            since = self._waiting_since
            if since is not None and time.monotonic() - max(since, noticed) > STUCK_SECONDS and self.lost:
                self._give_up(self.lost)
                return
            time.sleep(0.5)

    def _gone(self, rank: int, last: Word | None) -> RankLost:
        if last is not None:
            return RankLost("processes.failed", "Process {rank} of {count} failed: {text}", mend="{advice}", rank=rank,
                            count=self.count, text=last["text"], advice=last["advice"])  # fmt: skip
        return RankLost(
            "processes.lost",
            "Process {rank} of {count} has ended without a word: it was killed, or its computer has gone.",
            mend="`dbtui train {name} --resume` goes on from the last saved state, which is whole. The end of {log} "
            "may tell why.", rank=rank, count=self.count, name=self._name, log=self._log,
        )  # fmt: skip

    def _silent(self, reason: str) -> RankLost:
        return RankLost(
            "processes.silent", "The processes of this run have lost each other: {reason}.",
            mend="`dbtui train {name} --resume` goes on from the last saved state, which is whole. The end of {log} "
            "may tell why.", reason=reason, name=self._name, log=self._log,
        )  # fmt: skip
