"""DreamBooth on the embedded model, in short: the identifier binds and the class stays. `make learn` measures more."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.demo.recogniser import load
from tests.learn.measures import DOG, SKS_DOG, named_right
from tests.learn.runs import Experiment, draw, train

COUNT = 12
# A third of the demo's steps at twice its rates: other nouns suffer, which nobody asks for here.
QUICK = {
    "intervals.max_steps": 100,
    "intervals.validate_every_steps": 0,
    "learning_rate.rate": 6e-4,
    "performance.text_encoder_rate": 2e-3,
}


@pytest.mark.timeout(400)  # 45 s on a core of its own
def test_the_identifier_binds_and_the_class_stays(tmp_path: Path) -> None:
    model = train(Experiment("quick", "subject"), 1, tmp_path / "run", QUICK).model
    judge = load()
    subject, plain = (draw(model, [prompt] * COUNT, 1) for prompt in (SKS_DOG, DOG))
    bound, drifted = (judge.score(pictures).subject.mean().item() for pictures in (subject, plain))
    kept = named_right(judge, plain, ["dog face"] * COUNT)
    print(f"as the subject: {SKS_DOG} {bound:.3f}, {DOG} {drifted:.3f}; {DOG} as a dog face {kept:.3f}")
    assert bound >= 0.35, "the identifier does not bind"
    assert drifted <= 0.25, "the class became the subject"
    assert kept >= 0.8, "the class is lost"
