"""The texts that follow from a concept: captions, class prompt, preview prompt, its name in paths."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from core.config.options import Concept

FILEWORDS = "[filewords]"
DEFAULT_PROMPT = "a {identifier} {class}"


def fill(template: str, identifier: str, class_noun: str) -> str:
    """`template` with {identifier} and {class} filled in and spaces tidied; `[filewords]` stays as it is."""
    return tidy(template.replace("{identifier}", identifier).replace("{class}", class_noun))


def tidy(text: str) -> str:
    """One space between words, none before a comma or full stop, no comma at either end."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([,.;])", r"\1", text)
    text = re.sub(r",(?:\s*,)+", ",", text)
    return text.strip(" ,;")


def instance_prompt(concept: Concept) -> str:
    """The caption of the concept's pictures; `[filewords]` is still in it where each picture has its own words."""
    return fill(concept.instance.prompt, concept.instance.identifier, concept.instance.class_noun)


def class_prompt(concept: Concept) -> str:
    """What class pictures show: `prior.prompt`, else the caption without the identifier and without `[filewords]`.

    Where the caption names no class, the class noun takes the identifier's place: `photo of sks` → `photo of dog`.
    """
    identifier, class_noun = concept.instance.identifier, concept.instance.class_noun
    if concept.prior.prompt.strip():
        return fill(_without_filewords(concept.prior.prompt), identifier, class_noun)
    return _without_identifier(concept.instance.prompt, identifier, class_noun)


def sample_prompt(concept: Concept) -> str:
    """What previews show: `sample.prompt`, else the caption without `[filewords]`."""
    template = concept.sample.prompt.strip() or _without_filewords(concept.instance.prompt)
    filled = fill(_without_filewords(template), concept.instance.identifier, concept.instance.class_noun)
    return filled or fill(DEFAULT_PROMPT, concept.instance.identifier, concept.instance.class_noun)


def class_sample_prompt(concept: Concept) -> str:
    """What the previews of the class beside the subject's show: the preview prompt without the identifier."""
    template = concept.sample.prompt.strip() or concept.instance.prompt
    return _without_identifier(template, concept.instance.identifier, concept.instance.class_noun)


@dataclass(frozen=True)
class PromptPair:
    """What a preview of the subject shows, and one of the plain class beside it."""

    subject: str
    of_class: str


def sample_prompts(concept: Concept) -> PromptPair:
    """Of a concept with one preview prompt."""
    return PromptPair(sample_prompt(concept), class_sample_prompt(concept))


def template_prompts(concept: Concept, line: str, words: str) -> PromptPair:
    """Of one line of a concept's file of prompts; `words` stand for `[filewords]`, taken as they are."""
    identifier, class_noun = concept.instance.identifier, concept.instance.class_noun
    subject = tidy(fill(line, identifier, class_noun).replace(FILEWORDS, words))
    return PromptPair(subject, _without_identifier(line, identifier, class_noun))


def concept_name(concept: Concept, number: int) -> str:
    """The concept's name in paths and events: its own, else the class noun as a slug, else `concept-1`, `concept-2`.

    `number` is the concept's place in the run, counted from 0.
    """
    return concept.name or slug(concept.instance.class_noun) or f"concept-{number + 1}"


def slug(text: str) -> str:
    """A text as a folder name: `Alarm Clock` → `alarm-clock`, at most 60 characters, perhaps empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:60].strip("-")


def has_words(text: str, words: str) -> bool:
    """Whether `words` stand in `text` as whole words, in any case. Nothing stands in every text."""
    return not words.strip() or words_pattern(words).search(text) is not None


def words_pattern(words: str) -> re.Pattern[str]:
    """Finds `words` as whole words, in any case, with any space between them."""
    inside = r"\s+".join(re.escape(word) for word in words.split())
    return re.compile(rf"(?<!\w){inside}(?!\w)", re.IGNORECASE)


def _without_identifier(template: str, identifier: str, class_noun: str) -> str:
    """`template` filled in; the class noun stands in for the identifier where it names no class otherwise.

    An article that stood before the identifier goes with the word that follows now: `a sks alarm clock` is how subjects
    are captioned, but the class is to be called what the model knows it as, `an alarm clock`.
    """
    filled = _without_filewords(template).replace("{class}", class_noun)
    stand_in = "" if has_words(filled, class_noun) else class_noun
    filled = filled.replace("{identifier}", _GAP + stand_in)
    if identifier.strip():
        filled = words_pattern(identifier).sub(lambda _: _GAP + stand_in, filled)
    filled = _ARTICLE.sub(lambda found: found[1] + _n_before(found[4], found[2]) + found[3] + found[4], filled)
    return tidy(filled.replace(_GAP, "")) or class_noun


_GAP = "\0"
"""Where the identifier was."""
_ARTICLE = re.compile(rf"\b(a)(n?)(\s+{_GAP}\s*)(\w+)", re.IGNORECASE)
_VOWEL = re.compile(
    r"(?!(?:uni(?!n|mp)|use|usu|uti|ute|uto|uku|ura|uri|eu|ewe|one\b|once))[aeiou]|hour|hono|hones|heir", re.IGNORECASE
)
"""Matches how a word begins that is spoken with a vowel in front; near enough for what people take photos of."""


def _n_before(word: str, present: str) -> str:
    """What makes `a` the article of `word`: an `n` or nothing; `present` where the word is not written in letters."""
    if not word[0].isascii() or not word[0].isalpha():
        return present
    return "n" if _VOWEL.match(word) else ""


def _without_filewords(template: str) -> str:
    return template.replace(FILEWORDS, " ")
