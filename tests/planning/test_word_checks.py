from __future__ import annotations

from pathlib import Path

import pytest

from core.config.findings import Level
from core.data.scan import Picture, Scan
from core.families.vocabulary import clip_tokens, vocabulary
from core.planning.checks.words import COMMON_BELOW, RARE_WORDS, is_common
from core.planning.facts import Facts
from core.texts import UserError
from tests.planning.example import codes, facts, findings, found, mended

PROMPT = "concepts.0.instance.prompt"
WORD = "concepts.0.instance.identifier"
NOUN = "concepts.0.instance.class_noun"
CLASS_PROMPT = "concepts.0.prior.prompt"


def world_of(**words: str | UserError) -> Facts:
    """Pictures with the caption words given by name."""
    pictures = [Picture(Path(f"/pictures/dog/{name}.png"), 600, 600) for name in words]
    return facts(scans=(Scan(Path("/pictures/dog"), tuple(pictures), ()),),
                 words={picture.path: words[picture.path.stem] for picture in pictures})  # fmt: skip


def test_an_identifier_is_needed_and_rare_words_are_offered() -> None:
    finding = found("identifier.missing", {WORD: " "})
    assert finding.level is Level.ERROR
    assert mended(finding, {WORD: " "}) == [set()] * len(RARE_WORDS)


@pytest.mark.parametrize(
    ("prompt", "mend"),
    [
        ("a photo of a {class}", "a photo of a {identifier} {class}"),
        ("a photo of a Dog on grass", "a photo of a {identifier} Dog on grass"),
        ("a photo", "a photo {identifier}"),
        ("ohwxy {class}", "ohwxy {identifier} {class}"),
    ],
)
def test_an_identifier_missing_from_the_caption_is_put_before_the_class(prompt: str, mend: str) -> None:
    finding = found("identifier.not-in-prompt", {PROMPT: prompt})
    assert finding.level is Level.ERROR
    assert finding.fixes[0].changes == {PROMPT: mend}
    assert "identifier.not-in-prompt" not in mended(finding, {PROMPT: prompt})[0]


@pytest.mark.parametrize("prompt", ["a {identifier} {class}", "OHWX {class}", "the {class} (ohwx)"])
def test_an_identifier_in_the_caption_is_found_in_any_form(prompt: str) -> None:
    assert codes({PROMPT: prompt}) == set()


def test_with_filewords_the_identifier_may_stand_in_the_caption_files() -> None:
    world = world_of(a="ohwx dog on grass", b="a dog in the house", c="ohwx dog")
    finding = found("identifier.not-in-captions", {PROMPT: "[filewords]"}, world)
    assert finding.level is Level.ERROR and "b.png" in finding.message.text and "a.png" not in finding.message.text
    good = world_of(a="ohwx dog", b="ohwx dog asleep", c="one ohwx dog")
    assert codes({PROMPT: "[filewords]"}, good) == set()
    assert codes({PROMPT: "{identifier} {class}, [filewords]"}, world) == set()


def test_a_caption_file_that_cannot_be_read_is_an_error() -> None:
    bad = UserError("caption.encoding", "{path} is not UTF-8.", path="b.txt")
    assert (
        found("caption.encoding", {PROMPT: "ohwx dog [filewords]"}, world_of(a="x", b=bad, c="y")).level is Level.ERROR
    )
    assert "caption.encoding" not in codes({}, world_of(a="x", b=bad, c="y"))


@pytest.mark.parametrize("word", ["dog", "alice", "red car", "woman", "pikachu"])
def test_a_common_word_is_a_poor_identifier(word: str) -> None:
    noun = "thing"
    finding = found("identifier.common", {WORD: word, NOUN: noun})
    assert finding.level is Level.WARNING
    assert all(left == set() for left in mended(finding, {WORD: word, NOUN: noun}))


@pytest.mark.parametrize("word", ["xjy", "qqqzzzwww"])
def test_an_identifier_of_many_tokens_is_shown_in_its_pieces(word: str) -> None:
    finding = found("identifier.long", {WORD: word})
    assert finding.level is Level.WARNING
    assert str(len(clip_tokens(word))) in finding.message.text
    assert all(left == set() for left in mended(finding, {WORD: word}))


@pytest.mark.parametrize("word", [*RARE_WORDS, "zwx", "sks2"])
def test_rare_words_of_one_or_two_tokens_are_good_identifiers(word: str) -> None:
    assert codes({WORD: word}) == set()


def test_every_offered_word_is_one_token_and_among_the_last_of_the_vocabulary() -> None:
    for word in RARE_WORDS:
        assert clip_tokens(word) == [f"{word}</w>"]
        assert vocabulary()[f"{word}</w>"] >= COMMON_BELOW
        assert not is_common(word)


@pytest.mark.parametrize(("word", "noun"), [("dog", "dog"), ("Clock", "alarm clock")])
def test_an_identifier_that_is_the_class_is_an_error(word: str, noun: str) -> None:
    assert found("identifier.is-class", {WORD: word, NOUN: noun}).level is Level.ERROR


def test_a_class_is_needed_where_the_caption_or_class_pictures_use_it() -> None:
    assert found("class.missing", {NOUN: ""}).level is Level.ERROR
    alone = {NOUN: "", PROMPT: "{identifier}", "concepts.0.prior.images_per_instance": 0}
    assert found("class.missing", alone).level is Level.WARNING


@pytest.mark.parametrize(
    ("prompt", "mend"),
    [("a photo of {identifier} at home", "a photo of {identifier} {class} at home"),
     ("a photo of OHWX", "a photo of OHWX {class}")],
)  # fmt: skip
def test_a_class_missing_from_the_caption_is_put_behind_the_identifier(prompt: str, mend: str) -> None:
    finding = found("class.not-in-prompt", {PROMPT: prompt})
    assert finding.level is Level.WARNING
    assert finding.fixes[0].changes == {PROMPT: mend}
    assert mended(finding, {PROMPT: prompt}) == [set()]


@pytest.mark.parametrize(
    ("prompt", "code", "level"),
    [("a {identifier} {class}", "class.same-prompt", Level.ERROR),
     ("an ohwx dog on grass", "class.has-identifier", Level.ERROR),
     ("an animal", "class.prompt-without-class", Level.WARNING)],
)  # fmt: skip
def test_a_class_prompt_shows_the_class_and_not_the_subject(prompt: str, code: str, level: Level) -> None:
    finding = found(code, {CLASS_PROMPT: prompt})
    assert finding.level is level
    assert mended(finding, {CLASS_PROMPT: prompt}) == [set()]


def test_two_concepts_with_one_identifier_and_class_would_mix() -> None:
    changes = {"concepts.1.instance.identifier": "OHWX", "concepts.1.instance.class_noun": "dog"}
    assert found("identifier.shared", changes, concepts=2).level is Level.WARNING
    assert "identifier.shared" not in codes(changes | {"concepts.1.instance.class_noun": "cat"}, concepts=2)


def test_a_preview_without_the_identifier_is_remarked_on() -> None:
    assert found("sample.no-identifier", {"concepts.0.sample.prompt": "a dog"}).level is Level.HINT
    assert codes({"concepts.0.sample.prompt": "a dog", "concepts.0.sample.count": 0}) == {"sample.prompt-unused",
                                                                                          "sample.none"}  # fmt: skip


@pytest.mark.parametrize("option", ["instance.prompt", "prior.prompt", "prior.negative_prompt", "sample.prompt",
                                    "sample.negative_prompt"])  # fmt: skip
def test_words_beyond_75_tokens_are_named(option: str) -> None:
    ohwx = "" if option.startswith("prior") else "ohwx "
    fits, long = f"{ohwx}dog " + "grass " * (73 if ohwx else 74), f"{ohwx}dog " + "grass " * 74 + "zebra"
    finding = found("caption.long", {f"concepts.0.{option}": long})
    assert finding.level is Level.WARNING and finding.field == f"concepts.0.{option}"
    assert finding.message.text.endswith("zebra.")
    assert "caption.long" not in codes({f"concepts.0.{option}": fits})


def test_words_beyond_75_tokens_of_a_caption_file_are_named_with_the_picture() -> None:
    finding = found("caption.long-of", {PROMPT: "ohwx dog, [filewords]"}, world_of(a="grass", b="grass " * 80, c="x"))
    assert "b.png" in finding.message.text


@pytest.mark.parametrize("field", [NOUN, PROMPT, CLASS_PROMPT, "concepts.0.sample.prompt"])
def test_words_that_clip_cannot_read_are_named(field: str) -> None:
    text = "a {identifier} 时钟" if field == PROMPT else "红色 时钟 café"
    finding = found("words.not-english", {field: text})
    assert (finding.level, finding.field) == (Level.WARNING, field)
    assert "时钟" in finding.message.text and "café" not in finding.message.text
    assert "words.not-english" not in codes({field: "a {identifier} café, Überklock – 2×"})


@pytest.mark.parametrize(
    ("prompt", "wrong", "right"),
    [
        ("a {identifier} {klass} clock", "{klass}", "a {identifier} {class} clock"),
        ("a {identfier} {class}", "{identfier}", "a {identifier} {class}"),
        ("a {Identifier} { class }", "{Identifier}", "a {identifier} {class}"),
    ],
)
def test_a_misspelt_placeholder_is_named_with_the_one_that_was_meant(prompt: str, wrong: str, right: str) -> None:
    (finding,) = findings({PROMPT: prompt})
    assert (finding.code, finding.level) == ("caption.misspelt", Level.ERROR)
    assert finding.message.text == f"There is no {wrong}."
    assert [fix.changes for fix in finding.fixes] == [{PROMPT: right}]
    assert mended(finding, {PROMPT: prompt}) == [set()]


def test_a_placeholder_that_is_like_none_is_told_and_the_two_that_there_are() -> None:
    finding = found("caption.unknown", {PROMPT: "a {identifier} {class}, {weather}"})
    assert finding.level is Level.WARNING and "{weather}" in finding.message.text
    assert "{identifier}" in finding.message.advice and "{class}" in finding.message.advice


@pytest.mark.parametrize("word", RARE_WORDS)
def test_where_the_rare_word_is_the_class_another_one_is_named_and_offered(word: str) -> None:
    changes = {WORD: word, NOUN: word}
    finding = found("identifier.is-class", changes)
    assert word not in finding.message.advice
    assert all("identifier.is-class" not in left for left in mended(finding, changes))


def test_an_empty_caption_is_mended_with_the_one_it_began_with() -> None:
    (finding,) = findings({PROMPT: " "})
    assert [fix.changes for fix in finding.fixes] == [{PROMPT: "a {identifier} {class}"}]
    assert mended(finding, {PROMPT: " "}) == [set()]


def test_a_class_of_digits_alone_is_a_hint() -> None:
    finding = found("class.no-word", {NOUN: "99999"})
    assert finding.level is Level.HINT and finding.field == NOUN
    assert "class.no-word" not in codes({NOUN: "dog 2"})
