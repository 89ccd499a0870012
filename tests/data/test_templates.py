from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.config.options import Concept, InstanceOptions, SampleOptions
from core.config.prompts import PromptPair
from core.data.scan import Picture
from core.data.templates import MOST_PROMPTS, preview_prompts, read_template
from core.texts import UserError


def concept(**sample: Any) -> Concept:
    instance = InstanceOptions(identifier="sks", class_noun="dog")
    return Concept(instance=instance, sample=SampleOptions(**sample))


PICTURES = [Picture(Path("01 in the grass.png"), 1, 1), Picture(Path("02 asleep {x}.png"), 1, 1)]


def test_each_line_is_a_prompt_with_its_words_filled_in(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text(
        "\ufeff{identifier} {class}, [filewords]\r\n\n a {class}\n[filewords] of {identifier}\nsks in snow\n"
    )
    found = preview_prompts(concept(template_file=str(file), prompt="not this"), PICTURES)
    assert [pair.subject for pair in found] == [
        "sks dog, in the grass", "a dog", "in the grass of sks", "sks in snow",
    ]  # fmt: skip
    assert [pair.of_class for pair in found] == ["dog", "a dog", "of dog", "dog in snow"]


def test_pictures_take_turns_and_their_braces_mean_nothing(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("[filewords]\n[filewords]\n[filewords]\n")
    found = preview_prompts(concept(template_file=str(file)), PICTURES)
    assert [pair.subject for pair in found] == ["in the grass", "asleep {x}", "in the grass"]


def test_without_a_file_there_is_the_one_prompt() -> None:
    assert preview_prompts(concept(), PICTURES) == (PromptPair("a sks dog", "a dog"),)
    assert preview_prompts(concept(prompt="{identifier} swims"), [])[0].subject == "sks swims"


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"\n \n", "template.empty"), (b"\xff\xfe", "caption.encoding"), (b"a\n" * (MOST_PROMPTS + 1), "template.many"),
     (b"a" * 70_000, "template.too-long")],
)  # fmt: skip
def test_a_file_that_is_no_list_of_prompts_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / "prompts.txt").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_template(tmp_path / "prompts.txt")
    assert caught.value.code == code and "prompts.txt" in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gone"):
        read_template(tmp_path / "gone.txt")
