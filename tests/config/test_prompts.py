from __future__ import annotations

import pytest

from core.config.options import Concept
from core.config.prompts import (
    class_prompt,
    class_sample_prompt,
    concept_name,
    fill,
    has_words,
    instance_prompt,
    sample_prompt,
    slug,
)


def concept(prompt: str = "a {identifier} {class}", **tables: dict[str, object]) -> Concept:
    instance = {"identifier": "ohwx", "class_noun": "alarm clock", "prompt": prompt} | tables.pop("instance", {})
    return Concept.model_validate({"instance": instance, **tables})


def test_a_caption_holds_identifier_and_class_and_keeps_filewords() -> None:
    assert instance_prompt(concept()) == "a ohwx alarm clock"
    assert instance_prompt(concept("{identifier} {class}, [filewords]")) == "ohwx alarm clock, [filewords]"


def test_other_braces_mean_nothing() -> None:
    assert fill("{x} {identifier} {{class}}", "a", "b") == "{x} a {b}"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a {identifier} {class}", "an alarm clock"),
        ("photo of {identifier} {class}, [filewords]", "photo of alarm clock"),
        ("a photo of OHWX alarm clock, ohwx", "a photo of alarm clock"),
        ("a photo of {identifier}", "a photo of alarm clock"),
        ("ohwxy {class}", "ohwxy alarm clock"),
        ("[filewords]", "alarm clock"),
        ("{identifier}", "alarm clock"),
        ("{class} , {identifier} , on a desk", "alarm clock, on a desk"),
    ],
)
def test_the_class_prompt_is_the_caption_without_the_identifier(prompt: str, expected: str) -> None:
    assert class_prompt(concept(prompt)) == expected


@pytest.mark.parametrize(
    ("prompt", "noun", "expected"),
    [
        ("a {identifier} {class}", "dog", "a dog"),
        ("an {identifier} {class}", "dog", "a dog"),
        ("A ohwx {class}", "owl", "An owl"),
        ("a {identifier}", "elephant", "an elephant"),
        ("a {identifier} {class}", "uniform", "a uniform"),
        ("a {identifier} {class}", "hourglass", "an hourglass"),
        ("a {identifier} {class}", "house", "a house"),
        ("a {identifier} {class}", "umbrella", "an umbrella"),
        ("a {identifier} {class}", "狗", "a 狗"),
        ("a {identifier} red {class}", "apple", "a red apple"),
        ("a {class} of {identifier}", "owl", "a owl of"),
    ],
)
def test_the_article_before_the_identifier_goes_with_what_follows_it_then(
    prompt: str, noun: str, expected: str
) -> None:
    """What somebody wrote before another word is theirs."""
    plain = Concept.model_validate({"instance": {"identifier": "ohwx", "class_noun": noun, "prompt": prompt}})
    assert class_prompt(plain) == expected


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("", "an alarm clock"),
        ("a {identifier} {class} on the moon", "an alarm clock on the moon"),
        ("a drawing of ohwx", "a drawing of alarm clock"),
    ],
)
def test_the_preview_of_the_class_shows_what_the_subjects_does(prompt: str, expected: str) -> None:
    previewed = concept(sample={"prompt": prompt}, prior={"prompt": "a clock of another kind"})
    assert class_sample_prompt(previewed) == expected


def test_a_class_prompt_of_ones_own_goes_first() -> None:
    assert class_prompt(concept(prior={"prompt": "any  {class} "})) == "any alarm clock"


@pytest.mark.parametrize(
    ("prompt", "sample", "expected"),
    [
        ("a {identifier} {class}", "", "a ohwx alarm clock"),
        ("a {identifier} {class}", "{identifier} on the moon", "ohwx on the moon"),
        ("{identifier}, [filewords]", "", "ohwx"),
        ("[filewords]", "", "a ohwx alarm clock"),
    ],
)
def test_previews_show_the_caption_or_what_was_asked(prompt: str, sample: str, expected: str) -> None:
    assert sample_prompt(concept(prompt, sample={"prompt": sample})) == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [("Alarm Clock", "alarm-clock"), ("été / hiver", "ete-hiver"), ("../..", ""), ("犬", ""), ("x" * 99, "x" * 60)],
)
def test_a_slug_is_a_name_that_a_folder_can_have(text: str, name: str) -> None:
    assert slug(text) == name
    assert Concept(name=slug(text)).name == name


def test_a_concept_is_named_after_itself_its_class_or_its_place() -> None:
    assert concept_name(concept(), 0) == "alarm-clock"
    assert concept_name(Concept(name="tick"), 0) == "tick"
    assert concept_name(Concept(), 2) == "concept-3"


@pytest.mark.parametrize(
    ("text", "words", "there"),
    [("an OHWX dog", "ohwx", True), ("ohwxdog", "ohwx", False), ("alarm  clock", "Alarm clock", True),
     ("x.y", "x.y", True),
     ("xzy", "x.y", False), ("anything", "", True)],
)  # fmt: skip
def test_words_are_found_whole_in_any_case(text: str, words: str, there: bool) -> None:
    assert has_words(text, words) is there
