"""What is claimed of the learning, each claim a figure of one seed with its bound; medians of the seeds decide."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Runs: TypeAlias = Mapping[str, Mapping[str, float]]
"""One seed: `before`, `real` and each experiment → its figures."""


@dataclass(frozen=True)
class Claim:
    """`figure` of a seed must be at least (or at most) `bound`."""

    text: str
    figure: Callable[[Runs], float]
    bound: float
    at_least: bool = True

    def figures(self, seeds: Sequence[Runs]) -> list[float]:
        return [self.figure(runs) for runs in seeds]

    def holds(self, seeds: Sequence[Runs]) -> bool:
        median = statistics.median(self.figures(seeds))
        return median >= self.bound if self.at_least else median <= self.bound


def _share(run: str, name: str, of_run: str, of_name: str) -> Callable[[Runs], float]:
    """One figure divided by another (what is nothing counts as a thousandth)."""
    return lambda runs: runs[run][name] / max(runs[of_run][of_name], 1e-3)


CLAIMS = (
    Claim("Binding: “a sks dog face” is the subject, as often as the real pictures are",
          _share("subject", "subject as the subject", "real", "real subject"), 0.9),
    Claim("Binding: before training it is not", _share("before", "subject as the subject", "real", "real subject"),
          0.2, at_least=False),
    Claim("No drift: with class pictures “a dog face” is a dog face, as often as before",
          _share("subject", "class as the class", "before", "class as the class"), 0.9),
    Claim("Drift: without them “a dog face” becomes the subject",
          lambda runs: runs["without-prior"]["class as the subject"], 0.2),
    Claim("No drift: with them it becomes the subject, as often as without",
          _share("subject", "class as the subject", "without-prior", "class as the subject"), 0.1, at_least=False),
    Claim("Language: with class pictures other nouns are named right, as often as before",
          _share("subject", "others as themselves", "before", "others as themselves"), 0.9),
    Claim("Text encoder: trained for 0.7 of the run it binds the face better than frozen, by",
          lambda runs: runs["face"]["face as the face"] - runs["face-frozen-text"]["face as the face"], 0.01),
    Claim("Style: other nouns are in it, as often as the real pictures are",
          _share("style", "others in the style", "real", "real style"), 0.5),
    Claim("Style: before training they are not", lambda runs: runs["before"]["others in the style"], 0.1,
          at_least=False),
    Claim("Loss on the subject's pictures, fixed noise: last of first",
          _share("subject", "loss on its pictures, last", "subject", "loss on its pictures, first"), 0.9,
          at_least=False),
    Claim("Loss on the class pictures, fixed noise: last of first",
          _share("subject", "loss on the class, last", "subject", "loss on the class, first"), 1.1, at_least=False),
)  # fmt: skip
