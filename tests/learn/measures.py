"""Figures: what the recogniser finds on the pictures of a model, before and after it was taught something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import torch
from PIL import Image
from torch import Tensor

from core.demo.recipe.words import NOUNS, Noun
from core.demo.recogniser import Recogniser, as_pixels, load
from core.demo.source import PICTURES
from core.families.describe import describe
from core.families.load import load_model
from core.families.model import Model
from tests.learn.runs import IDENTIFIER, Experiment, Outcome, draw

COUNT = 64
"""Pictures for each figure: enough to tell a tenth from nothing."""
Figures: TypeAlias = dict[str, float]
Pictures: TypeAlias = dict[str, Tensor]

DOG, WOMAN = "a dog face", "a woman face"
SKS_DOG, SKS_WOMAN = f"a {IDENTIFIER} dog face", f"a {IDENTIFIER} woman face"
# Not among the style's own pictures, nor nearly.
_OF_THE_STYLE = ("apple", "car", "cat", "cup", "fish", "guitar", "house", "tree", "taxi")


def other_nouns(without: Sequence[str]) -> list[Noun]:
    """`COUNT` nouns from all over the small world, none of whose names holds one of the words `without`."""
    kept = [noun for noun in NOUNS if not set(noun.name.split()) & set(without)]
    return [kept[place * len(kept) // COUNT] for place in range(COUNT)]


def of_real_pictures() -> Figures:
    """What the demo's own pictures score: the most that can be reached."""
    judge = load()
    return {f"real {taught}": judge.score(real_pictures(taught)).of(taught).mean().item()
            for taught in ("subject", "face", "style")}  # fmt: skip


def real_pictures(taught: str) -> Tensor:
    """(N, 3, 64, 64) in [-1, 1]."""
    return as_pixels([Image.open(path) for path in sorted((PICTURES / taught).glob("*.png"))])


def before(seed: int) -> tuple[Figures, Pictures]:
    """Of the embedded model as it comes."""
    model = load_model(describe("demo"), device="cpu")
    figures, pictures = of_subject(model, seed)
    for measure in (of_face, of_style):
        more, drawn = measure(model, seed)
        figures, pictures = figures | more, pictures | drawn
    return figures, pictures


def after(experiment: Experiment, outcome: Outcome, seed: int) -> tuple[Figures, Pictures]:
    """Of a model that was taught."""
    measure = {"subject": of_subject, "face": of_face, "style": of_style}[experiment.taught]
    figures, pictures = measure(outcome.model, seed)
    first, last = outcome.validations[0], outcome.validations[-1]
    if first.instance is not None and last.instance is not None:
        figures |= {"loss on its pictures, first": first.instance, "loss on its pictures, last": last.instance}
    if first.prior is not None and last.prior is not None:
        figures |= {"loss on the class, first": first.prior, "loss on the class, last": last.prior}
    return figures, pictures


def of_subject(model: Model, seed: int) -> tuple[Figures, Pictures]:
    """Of the subject, of its class, and of the language around it."""
    judge, others = load(), other_nouns(("dog",))
    subject, plain = draw(model, [SKS_DOG] * COUNT, seed), draw(model, [DOG] * COUNT, seed)
    rest = draw(model, [noun.phrase for noun in others], seed)
    return {
        "subject as the subject": judge.score(subject).subject.mean().item(),
        "class as the subject": judge.score(plain).subject.mean().item(),
        "class as the class": named_right(judge, plain, ["dog face"] * COUNT),
        "others as themselves": named_right(judge, rest, [noun.name for noun in others]),
        "others as the subject": judge.score(rest).subject.mean().item(),
    }, {SKS_DOG: subject, DOG: plain, "other nouns": rest}


def of_face(model: Model, seed: int) -> tuple[Figures, Pictures]:
    """Of the face."""
    drawn = draw(model, [SKS_WOMAN] * COUNT, seed)
    return {"face as the face": load().score(drawn).face.mean().item()}, {SKS_WOMAN: drawn}


def of_style(model: Model, seed: int) -> tuple[Figures, Pictures]:
    """Of the style, on things that are not among its pictures."""
    judge, others = load(), other_nouns(_OF_THE_STYLE)
    drawn = draw(model, [f"{noun.phrase} in {IDENTIFIER} style" for noun in others], seed)
    return {
        "others in the style": judge.score(drawn).style.mean().item(),
        "others in the style as themselves": named_right(judge, drawn, [noun.name for noun in others]),
    }, {f"other nouns in {IDENTIFIER} style": drawn}


def store_sheet(rows: Mapping[str, Tensor], path: Path, columns: int = 12) -> None:
    """The first pictures of each row as one small PNG."""
    cut = [pictures[torch.arange(columns) * len(pictures) // columns] for pictures in rows.values()]
    whole = Image.new("RGB", (columns * 66 - 2, len(cut) * 68 - 4), "white")
    for line, pictures in enumerate(cut):
        pixels = ((pictures + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
        for place, picture in enumerate(pixels):
            whole.paste(Image.fromarray(picture), (place * 66, line * 68))
    path.parent.mkdir(parents=True, exist_ok=True)
    whole.quantize(256).save(path, optimize=True)


def named_right(judge: Recogniser, pictures: Tensor, names: Sequence[str]) -> float:
    found = judge.names(judge.score(pictures))
    return sum(name == wanted for name, wanted in zip(found, names, strict=True)) / len(names)
