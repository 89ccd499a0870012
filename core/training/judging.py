"""What the previews of the embedded model show, as figures: its recogniser looks at each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from core.config.options import RunConfig
from core.config.prompts import concept_name
from core.demo.recogniser import TAUGHT, Recogniser, as_pixels, load
from core.demo.source import PICTURES, is_demo


@dataclass(frozen=True)
class Verdict:
    """`noun`: what it takes a picture for. `likeness`: how much it is what the concept teaches, from 0 to 1; `None`
    for pictures of somebody's own, which it has never seen.
    """

    noun: str
    likeness: float | None


UNJUDGED = Verdict("", None)


@dataclass(frozen=True)
class Judge:
    """`taught`: concept → which of the demo's own things it teaches."""

    recogniser: Recogniser
    taught: Mapping[str, str]

    def look(self, picture: Path, concept: str) -> Verdict:
        """At a picture that was written."""
        with Image.open(picture) as opened:
            scores = self.recogniser.score(as_pixels([opened]))
        taught = self.taught.get(concept)
        likeness = None if taught is None else round(scores.of(taught).item(), 4)
        return Verdict(self.recogniser.names(scores)[0], likeness)


def judge_for(config: RunConfig) -> Judge | None:
    """A judge for a run of the embedded model; nobody can judge what another one draws."""
    if not is_demo(config.model.source):
        return None
    taught = {}
    for number, concept in enumerate(config.concepts):
        folder = Path(concept.instance.directory).expanduser()
        if folder.parent == PICTURES and folder.name in TAUGHT:
            taught[concept_name(concept, number)] = folder.name
    return Judge(load(), taught)
