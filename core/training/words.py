"""Words between rank 0 and each other rank, and how each learns that another has gone.

They travel beside the gradients, on a group of their own: a thread listens to each peer, and a connection that breaks
is noticed at once, whatever the trainer is waiting for.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

Word = dict[str, Any]
BYE, FAILED = "bye", "failed"
GOODBYE_SECONDS = 10.0


class Words:
    """What is told reaches rank 0, or from rank 0 all the others; what is heard from them waits in order.

    `on_word` is called for each word, in a thread of its own, and says whether it shall wait to be heard; `on_loss`
    with a rank that went without a goodbye, and what it said last (`None`: nothing).
    """

    def __init__(
        self,
        peers: Iterable[int],
        group: dist.ProcessGroup,
        on_word: Callable[[Word], bool],
        on_loss: Callable[[int, Word | None], None],
    ) -> None:
        self._peers = list(peers)
        self._group = group
        self._on_word, self._on_loss = on_word, on_loss
        self._speaking = threading.Lock()
        self._heard: queue.SimpleQueue[Word] = queue.SimpleQueue()
        self._listening = [
            threading.Thread(target=self._listen, args=(peer,), name=f"rank {peer}", daemon=True)
            for peer in self._peers
        ]
        for thread in self._listening:
            thread.start()

    def tell(self, kind: str, **fields: Any) -> None:
        """Say something to every peer; one that has gone hears nothing, and its loss is told elsewhere."""
        content = json.dumps({"kind": kind} | fields).encode()
        payload = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        with self._speaking:
            for peer in self._peers:
                try:
                    for part in (torch.tensor([len(content)]), payload):
                        dist.send(part, group_dst=peer, group=self._group)
                except RuntimeError:
                    continue

    def hear(self, seconds: float) -> Word | None:
        """The next word that waits; `None` where none came in this time."""
        try:
            return self._heard.get(timeout=seconds)
        except queue.Empty:
            return None

    def say_goodbye(self) -> bool:
        """The last word; returns whether the others have said theirs."""
        self.tell(BYE)
        for thread in self._listening:
            thread.join(GOODBYE_SECONDS)
        return not any(thread.is_alive() for thread in self._listening)

    def _listen(self, peer: int) -> None:
        try:
            while (word := self._next(peer))["kind"] != BYE:
                if word["kind"] == FAILED:
                    self._lose(peer, word)
                    return
                if self._on_word(word):
                    self._heard.put(word)
        except RuntimeError:
            self._lose(peer, None)

    def _next(self, peer: int) -> Word:
        length = torch.zeros(1, dtype=torch.int64)
        dist.recv(length, group_src=peer, group=self._group)
        content: Tensor = torch.empty(int(length.item()), dtype=torch.uint8)
        dist.recv(content, group_src=peer, group=self._group)
        word: Word = json.loads(content.numpy().tobytes())
        return word

    def _lose(self, peer: int, last: Word | None) -> None:
        self._on_loss(peer, last)
        self._heard.put({"kind": FAILED})
