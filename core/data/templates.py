"""Files of prompts for previews: one in each line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.config.options import Concept
from core.config.prompts import PromptPair, sample_prompts, template_prompts
from core.data.captions import file_words, read_text
from core.data.scan import Picture
from core.texts import UserError, path_in_words, say

MOST_PROMPTS = 100
"""More than this is something else than a list of prompts, or previews that take longer than the run."""


def read_template(path: Path) -> tuple[str, ...]:
    """The lines of the file that are not empty. `UserError` if there is none, or it cannot be read."""
    lines = tuple(
        line.strip() for line in read_text(path, "template", say("template.title", "The file of prompts")).splitlines()
    )
    found = tuple(line for line in lines if line)
    if not found:
        raise UserError(
            "template.empty", "The file of prompts {path} is empty.",
            mend="Write a prompt in each line, or leave the option empty.", path=path_in_words(path),
        )  # fmt: skip
    if len(found) > MOST_PROMPTS:
        raise UserError(
            "template.many", "The file {path} has {count} lines; at most {most} prompts are shown.",
            mend="Keep those that you want to look at each time.", path=path_in_words(path), count=len(found),
            most=MOST_PROMPTS,
        )  # fmt: skip
    return found


def preview_prompts(concept: Concept, pictures: Sequence[Picture]) -> tuple[PromptPair, ...]:
    """What a concept's previews show: the lines of its file, `[filewords]` being those of its pictures in turn, else
    its one prompt. Raises `UserError` where a file cannot be read.
    """
    if not concept.sample.template_file.strip():
        return (sample_prompts(concept),)
    lines = read_template(Path(concept.sample.template_file).expanduser())
    return tuple(
        template_prompts(concept, line, file_words(pictures[place % len(pictures)]) if pictures else "")
        for place, line in enumerate(lines)
    )
