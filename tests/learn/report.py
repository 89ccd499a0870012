"""The figures as a table on the screen, and with pictures as `docs/learning.md`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.demo.recipe.words import NOUNS
from tests.learn.claims import CLAIMS, Claim, Runs
from tests.learn.measures import COUNT, DOG, SKS_DOG, SKS_WOMAN, Pictures, real_pictures, store_sheet
from tests.learn.runs import EXPERIMENTS, FACE_STEPS, IDENTIFIER, SAMPLING

STYLED = f"other nouns in {IDENTIFIER} style"
SHEETS: Mapping[str, tuple[str, Sequence[tuple[str, str, str]]]] = {
    "subject": ("The subject", (
        ("its own pictures", "real", "subject"),
        (f"“{SKS_DOG}” before", "before", SKS_DOG),
        ("after, with class pictures", "subject", SKS_DOG),
        ("after, without", "without-prior", SKS_DOG))),
    "class": ("Its class", (
        (f"“{DOG}” before", "before", DOG),
        ("after, with class pictures", "subject", DOG),
        ("after, without: it drifted", "without-prior", DOG))),
    "language": ("Other nouns", (
        ("before", "before", "other nouns"),
        ("after, with class pictures", "subject", "other nouns"),
        ("after, without", "without-prior", "other nouns"))),
    "face": ("The face", (
        ("its own pictures", "real", "face"),
        (f"“{SKS_WOMAN}” before", "before", SKS_WOMAN),
        (f"after {FACE_STEPS} steps, text encoder trained for 0.7 of them", "face", SKS_WOMAN),
        (f"after {FACE_STEPS} steps, text encoder frozen", "face-frozen-text", SKS_WOMAN))),
    "style": ("The style", (
        ("its own pictures", "real", "style"),
        (f"other nouns “in {IDENTIFIER} style” before", "before", STYLED),
        ("after", "style", STYLED))),
}  # fmt: skip
"""File → title and rows: what a row shows, of which run, which pictures."""


def claims_table(seeds: Sequence[Runs]) -> list[str]:
    """The claims as lines of a Markdown table."""
    numbers = " | ".join(f"seed {number + 1}" for number in range(len(seeds)))
    lines = [f"| claim | {numbers} | median | wanted | |", "|---|" + "---|" * (len(seeds) + 3)]
    return lines + [_row(claim, seeds) for claim in CLAIMS]


def figures_table(seeds: Sequence[Runs]) -> list[str]:
    """Every figure of every run as lines of a Markdown table: the median, then each seed's."""
    lines = ["| run | figure | median | seeds |", "|---|---|---|---|"]
    for run in ("real", "before", *(experiment.name for experiment in EXPERIMENTS)):
        for name in seeds[0][run]:
            values = [runs[run][name] for runs in seeds]
            each = ", ".join(f"{value:.3f}" for value in values)
            lines.append(f"| {run} | {name} | {statistics.median(values):.3f} | {each} |")
    return lines


def write(folder: Path, seeds: Sequence[Runs], pictures: Mapping[str, Pictures], about: str) -> None:
    """`learning.md` and its sheets into `folder`; `pictures`: run → what it drew with the first seed."""
    real = {"real": {taught: real_pictures(taught) for taught in ("subject", "face", "style")}}
    text = [
        "# Does it learn?",
        "",
        "Measured by `make learn` on the embedded model, with the trainer itself from the source to the exported "
        f"file. {about} Each figure is of {COUNT} pictures ({SAMPLING.steps} denoising steps, guidance "
        f"{SAMPLING.guidance_scale:g}), {len(seeds)} seeds; the medians decide. Nobody's taste is in it: a small "
        f"network that was trained apart ([`core/demo/recogniser.py`](../core/demo/recogniser.py)) says which of "
        f"{len(NOUNS)} nouns a picture shows, and whether it is the demo's dog, the demo's woman, or neon. The numbers "
        "of the runs stand in [`core/demo/demo.toml`](../core/demo/demo.toml), what differs from them in "
        "[`tests/learn/runs.py`](../tests/learn/runs.py).",
        "",
        "## What is claimed",
        "",
        *claims_table(seeds),
        "",
        "## What it looks like",
        "",
        "Pictures of the first seed, not chosen: every fifth or so of the 64.",
        "",
    ]
    for name, (title, rows) in SHEETS.items():
        store_sheet({row[0]: (real | pictures)[row[1]][row[2]] for row in rows}, folder / "learning" / f"{name}.png")
        listed = "; ".join(f"{place + 1}. {row[0]}" for place, row in enumerate(rows))
        text += [f"**{title}**, row by row: {listed}.", "", f"![{title}](learning/{name}.png)", ""]
    text += [
        "## All figures",
        "",
        "*subject*: the demo's run. *without-prior*: the same without class pictures. *face* and *face-frozen-text*: "
        f"{FACE_STEPS} steps on the face, the text encoder trained for 0.7 of them and not at all. *style*: the style "
        "preset. “As the subject”, “as the face”, “in the style” are mean scores from 0 to 1; “as the class” and “as "
        "themselves” the share of pictures whose likeliest noun is the right one.",
        "",
        *figures_table(seeds),
        "",
    ]
    (folder / "learning.md").write_text("\n".join(text), encoding="utf-8")


def _row(claim: Claim, seeds: Sequence[Runs]) -> str:
    figures = claim.figures(seeds)
    each = " | ".join(f"{figure:.3f}" for figure in figures)
    wanted = f"{'≥' if claim.at_least else '≤'} {claim.bound:g}"
    holds = "holds" if claim.holds(seeds) else "**does not hold**"
    return f"| {claim.text} | {each} | {statistics.median(figures):.3f} | {wanted} | {holds} |"
