"""Identifier, class and the texts made of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from core.config.findings import Finding, Fix, Level
from core.config.options import Concept, RunConfig
from core.config.prompts import (
    DEFAULT_PROMPT,
    FILEWORDS,
    class_prompt,
    fill,
    has_words,
    instance_prompt,
    sample_prompt,
    tidy,
    words_pattern,
)
from core.families.vocabulary import USABLE_TOKENS, clip_tokens, count_tokens, lost_words, pieces, vocabulary
from core.planning.facts import Facts
from core.texts import Message, UserError, counted, listed, message, path_in_words, say

RARE_WORDS = ("ohwx", "sks", "phol", "nmwx", "hta")
"""Words of one token that mean next to nothing to CLIP; all of them are among the last that its vocabulary learned."""
PLACEHOLDERS = ("{identifier}", "{class}")
BRACED = re.compile(r"\{\s*\w+\s*\}")
COMMON_BELOW = 40_000
"""CLIP numbers its 49,408 tokens in the order in which its training text made them worth having: what comes before
this is in daily use, names included."""
MANY_TOKENS = 3
"""The DreamBooth paper (arXiv 2208.12242, section 3.2) uses identifiers of at most three characters that make one
to three tokens; split into that many pieces a word is a chain of letters that already mean something."""


def identifier(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """There is a word for the subject, it stands in every caption, and it is free to take a meaning."""
    for number, concept in enumerate(config.concepts):
        field = f"concepts.{number}.instance.identifier"
        word = concept.instance.identifier.strip()
        if not word:
            yield Finding(Level.ERROR, field, message(
                "identifier.missing", "There is no identifier: the word that will mean your subject.",
                mend="Choose a rare one, for example {example}.", example=_free_words(concept)[0]),
                _rare_words(number, concept))  # fmt: skip
            continue
        if has_words(concept.instance.class_noun, word):
            yield Finding(Level.ERROR, field, message(
                "identifier.is-class", "The identifier {word} is also the class: the model could not tell your "
                "subject from all others.", mend="Choose a rare word, for example {example}.", word=word,
                example=_free_words(concept)[0]), _rare_words(number, concept))  # fmt: skip
        else:
            yield from _rareness(number, concept, word)
        yield from _identifier_in_captions(number, concept, word, facts)


def class_noun(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """There is a class, a word, and the captions name it."""
    for number, concept in enumerate(config.concepts):
        noun = concept.instance.class_noun.strip()
        template = concept.instance.prompt
        if not noun:
            needed = "{class}" in template or concept.prior.images_per_instance > 0
            yield Finding(Level.ERROR if needed else Level.WARNING, f"concepts.{number}.instance.class_noun", message(
                "class.missing", "There is no class: what your subject is, in one or two words.",
                mend="For example dog, alarm clock, woman or watercolor painting."))  # fmt: skip
        elif template.strip() and not has_words(_as_meant(template).replace("{class}", noun), noun) and (
                FILEWORDS not in template):  # fmt: skip
            new = _after_identifier(template, concept.instance.identifier)
            yield Finding(Level.WARNING, f"concepts.{number}.instance.prompt", message(
                "class.not-in-prompt", "The caption {caption!r} does not name the class {noun}: the model has to "
                "find out by itself what your subject is.", mend="Write the class behind the identifier.",
                caption=instance_prompt(concept), noun=noun), (_prompt(number, concept, new),))  # fmt: skip
        elif noun and not any(map(str.isalpha, noun)):
            yield Finding(Level.HINT, f"concepts.{number}.instance.class_noun", message(
                "class.no-word", "The class {noun} has no letter in it: it is the English word for what your subject "
                "is, which the model knows already.", mend="Write for example dog, alarm clock, woman.",
                noun=noun))  # fmt: skip


def class_texts(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Class pictures show the class and not the subject."""
    for number, concept in enumerate(config.concepts):
        if not concept.prior.images_per_instance or not concept.instance.identifier.strip():
            continue
        field = f"concepts.{number}.prior.prompt"
        derive = (Fix(message("fix.class-prompt", "Use your caption without the identifier"), {field: ""}),)
        text = class_prompt(concept)
        if text == instance_prompt(concept) and concept.prior.prompt.strip():
            yield Finding(Level.ERROR, field, message(
                "class.same-prompt", "The class prompt is the same as your caption ({text!r}): class pictures would "
                "teach that your subject is any {noun}.", mend="Leave it empty; it is then your caption without "
                "{word}.", text=text, noun=concept.instance.class_noun, word=concept.instance.identifier),
                derive)  # fmt: skip
        elif has_words(text, concept.instance.identifier):
            yield Finding(Level.ERROR, field, message(
                "class.has-identifier", "The class prompt {text!r} holds the identifier {word}: class pictures would "
                "be learned as your subject.", mend="Take {word} out of it, or leave it empty.", text=text,
                word=concept.instance.identifier), derive)  # fmt: skip
        elif concept.prior.prompt.strip() and not has_words(text, concept.instance.class_noun):
            yield Finding(Level.WARNING, field, message(
                "class.prompt-without-class", "The class prompt {text!r} does not name the class {noun}.",
                mend="Leave it empty; it then follows from your caption.", text=text,
                noun=concept.instance.class_noun), derive)  # fmt: skip


def preview(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Previews without the identifier cannot show the subject."""
    for number, concept in enumerate(config.concepts):
        word, asked = concept.instance.identifier.strip(), concept.sample
        found = facts.preview_prompts[number] if number < len(facts.preview_prompts) else ()
        if isinstance(found, UserError):
            yield Finding(Level.ERROR, f"concepts.{number}.sample.template_file", found.message)
            continue
        option = "template_file" if asked.template_file.strip() else "prompt"
        prompts = found if option == "template_file" else (sample_prompt(concept),)
        if asked.template_file.strip() and asked.prompt.strip():
            yield Finding(Level.WARNING, f"concepts.{number}.sample.prompt", message(
                "sample.prompt-replaced", "The preview prompt does nothing: the prompts come from {file}.",
                mend="Leave one of the two empty.", file=asked.template_file),
                (Fix(message("fix.no-template", "Use the prompt"), {f"concepts.{number}.sample.template_file": ""}),
                 Fix(message("fix.no-prompt", "Use the file"), {f"concepts.{number}.sample.prompt": ""})))  # fmt: skip
        if word and asked.count and (asked.prompt.strip() or option == "template_file") and prompts and not any(
                has_words(text, word) for text in prompts):  # fmt: skip
            yield Finding(Level.HINT, f"concepts.{number}.sample.{option}", message(
                "sample.no-identifier", "The preview prompt does not hold {word}, so previews will not show your "
                "subject.", mend="That is useful to see what the model forgets; otherwise write {word} into it.",
                word=word))  # fmt: skip
        for line in prompts if option == "template_file" else ():
            if count_tokens(line) > USABLE_TOKENS:
                yield Finding(Level.WARNING, f"concepts.{number}.sample.template_file", message(
                    "caption.long-line", "The prompt {line!r} has {tokens} tokens and the model reads {most}; lost "
                    "are: {words}.", mend="Shorten it.", line=f"{line[:40]}…", tokens=count_tokens(line),
                    most=USABLE_TOKENS, words=" ".join(lost_words(line))))  # fmt: skip


def same_identifier(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Two subjects of one name become one subject."""
    seen: dict[tuple[str, str], int] = {}
    for number, concept in enumerate(config.concepts):
        word = concept.instance.identifier.strip().lower()
        key = (word, concept.instance.class_noun.strip().lower())
        first = seen.setdefault(key, number)
        if word and first != number:
            field = f"concepts.{number}.instance.identifier"
            yield Finding(Level.WARNING, field, message(
                "identifier.shared", "Concepts {first} and {second} have the same identifier and class, so the model "
                "will mix them.", mend="Give each its own word.", first=first + 1, second=number + 1),
                _rare_words(number, concept))  # fmt: skip


def placeholders(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """What stands in braces is filled in: a misspelt name would be learned as it is written."""
    for number, concept in enumerate(config.concepts):
        texts = {
            "instance.prompt": concept.instance.prompt,
            "prior.prompt": concept.prior.prompt,
            "sample.prompt": concept.sample.prompt,
        }
        for option, text in texts.items():
            field, meant = f"concepts.{number}.{option}", _as_meant(text)
            unknown = [found for found in dict.fromkeys(BRACED.findall(text)) if found not in PLACEHOLDERS]
            if unknown and meant != text:
                named = next(found for found in unknown if _nearest(found))
                yield Finding(Level.ERROR, field, message(
                    "caption.misspelt", "There is no {wrong}.", mend="Did you mean {right}?", wrong=named,
                    right=_nearest(named)),
                    (Fix(message("fix.text", "Write {text}", text=meant), {field: meant}),))  # fmt: skip
            elif unknown:
                yield Finding(Level.WARNING, field, message(
                    "caption.unknown", "There is no {wrong}: it is learned as it is written.",
                    mend="{names} are filled in.", wrong=unknown[0], names=listed(PLACEHOLDERS)))  # fmt: skip


def lengths(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """CLIP reads 75 tokens; what comes after them is lost."""
    for number, concept in enumerate(config.concepts):
        caption = instance_prompt(concept)
        texts = {
            "instance.prompt": "" if FILEWORDS in caption else caption,
            "prior.prompt": class_prompt(concept) if concept.prior.prompt.strip() else "",
            "prior.negative_prompt": concept.prior.negative_prompt,
            "sample.prompt": sample_prompt(concept) if concept.sample.prompt.strip() else "",
            "sample.negative_prompt": concept.sample.negative_prompt,
        }
        for option, text in texts.items():
            if count_tokens(text) > USABLE_TOKENS:
                yield Finding(Level.WARNING, f"concepts.{number}.{option}", message(
                    "caption.long", "This text has {tokens} tokens and the model reads {most}; lost are: {words}.",
                    mend="Shorten it.", tokens=count_tokens(text), most=USABLE_TOKENS,
                    words=" ".join(lost_words(text))))  # fmt: skip
        for name, own in _captions(number, concept, facts):
            field = f"concepts.{number}.instance.prompt"
            if isinstance(own, UserError):
                yield Finding(Level.ERROR, field, own.message)
            elif count_tokens(own) > USABLE_TOKENS:
                yield Finding(Level.WARNING, field, message(
                    "caption.long-of", "The caption of {name} has {tokens} tokens and the model reads {most}; lost "
                    "are: {words}.", mend="Shorten it.", name=name, tokens=count_tokens(own), most=USABLE_TOKENS,
                    words=" ".join(lost_words(own))))  # fmt: skip


def language(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """CLIP was trained on captions in English: its vocabulary has no words of other scripts, only their bytes."""
    for number, concept in enumerate(config.concepts):
        texts = {
            "instance.class_noun": concept.instance.class_noun,
            "instance.prompt": concept.instance.prompt,
            "prior.prompt": concept.prior.prompt,
            "sample.prompt": concept.sample.prompt,
        }
        for option, text in texts.items():
            if found := not_english(text):
                yield Finding(Level.WARNING, f"concepts.{number}.{option}", found)


def not_english(text: str) -> Message | None:
    """What to say of a text with words in another script, if it has any."""
    foreign = re.findall(r"\S*[^\W\d_\u0000-\u024f]\S*", text)
    if not foreign:
        return None
    return message("words.not-english", "“{words}” says nothing to Stable Diffusion: its text encoder knows English.",
                   mend="Write it in English, for example dog, alarm clock, woman.", words=listed(foreign))  # fmt: skip


CHECKS = (identifier, class_noun, class_texts, preview, same_identifier, placeholders, lengths, language)


def is_common(word: str) -> bool:
    """Whether CLIP met every part of `word` often, as a word of its own: its vocabulary has it with a low number."""
    known = vocabulary()
    return all(token.endswith("</w>") and known[token] < COMMON_BELOW for token in clip_tokens(word))


def _rareness(number: int, concept: Concept, word: str) -> Iterator[Finding]:
    field = f"concepts.{number}.instance.identifier"
    tokens = clip_tokens(word)
    if is_common(word):
        yield Finding(Level.WARNING, field, message(
            "identifier.common", "{word} is a word that the model knows: it has to forget its meaning first, and "
            "your subject will look like it.", mend="Choose a rare word, for example {example}.", word=word,
            example=_free_words(concept)[0]), _rare_words(number, concept))  # fmt: skip
    elif len(tokens) >= MANY_TOKENS:
        read = pieces(word)
        told = say("identifier.in-bytes", " (a character of this script takes several)")
        if len(read) == len(tokens):
            told = say("identifier.in-pieces", " ({pieces})", pieces=" · ".join(read))
        yield Finding(Level.WARNING, field, message(
            "identifier.long", "The model reads “{word}” as {count} tokens{tokens}, which all mean something "
            "already.", mend="A word of one or two tokens is learned better, for example {example}.", word=word,
            count=len(tokens), tokens=told,
            example=_free_words(concept)[0]), _rare_words(number, concept))  # fmt: skip


def _identifier_in_captions(number: int, concept: Concept, word: str, facts: Facts) -> Iterator[Finding]:
    field = f"concepts.{number}.instance.prompt"
    caption = instance_prompt(concept)
    if has_words(caption, word) or has_words(_as_meant(concept.instance.prompt), "{identifier}"):
        return
    fix = _prompt(number, concept, _before_class(concept.instance.prompt, concept.instance.class_noun))
    if FILEWORDS not in caption:
        yield Finding(Level.ERROR, field, message(
            "identifier.not-in-prompt", "The caption {caption!r} does not hold the identifier {word}, so nothing "
            "would be learned under that word.", mend="Write {{identifier}} before the class.", caption=caption,
            word=word), (fix,))  # fmt: skip
        return
    without = [name for name, text in _captions(number, concept, facts)
               if isinstance(text, str) and not has_words(text, word)]  # fmt: skip
    if without:
        yield Finding(Level.ERROR, field, message(
            "identifier.not-in-captions", "{count} without the identifier {word}: {names}.",
            mend="Write {{identifier}} into the caption beside [filewords], or {word} into their .txt files.",
            count=counted(len(without), "caption is", "captions are"), names=listed(without), word=word),
            (fix,))  # fmt: skip


def _captions(number: int, concept: Concept, facts: Facts) -> Iterator[tuple[str, str | UserError]]:
    """Name and caption of each picture, where the captions differ from picture to picture and are known."""
    template = instance_prompt(concept)
    found = facts.scan(number)
    if FILEWORDS not in template or found is None:
        return
    for picture in found.pictures:
        words = facts.words.get(picture.path)
        if words is not None:
            text = words if isinstance(words, UserError) else tidy(template.replace(FILEWORDS, words))
            yield path_in_words(picture.path.name), text


def _nearest(placeholder: str) -> str:
    """The placeholder that a misspelt one was meant for, or nothing."""
    near = difflib.get_close_matches(placeholder.lower(), PLACEHOLDERS, n=1)
    return near[0] if near else ""


def _as_meant(template: str) -> str:
    """`template` with its misspelt placeholders as they were meant."""
    return BRACED.sub(lambda found: _nearest(found[0]) or found[0], template)


def _before_class(template: str, noun: str) -> str:
    """`template` with {identifier} before the class, or at its end where it names none; an empty one as it began."""
    if not template.strip():
        return DEFAULT_PROMPT
    if "{class}" in template:
        return template.replace("{class}", "{identifier} {class}", 1)
    if noun.strip() and (found := words_pattern(noun).search(template)):
        return f"{template[: found.start()]}{{identifier}} {template[found.start() :]}"
    return tidy(f"{template} {{identifier}}")


def _after_identifier(template: str, word: str) -> str:
    """`template` with {class} behind the identifier, or at its end where it has none."""
    pattern = re.compile(re.escape("{identifier}")) if "{identifier}" in template else None
    if pattern is None and word.strip():
        pattern = words_pattern(word)
    if pattern is not None and (found := pattern.search(template)):
        return f"{template[: found.end()]} {{class}}{template[found.end() :]}"
    return tidy(f"{template} {{class}}")


def _prompt(number: int, concept: Concept, new: str) -> Fix:
    text = fill(new, concept.instance.identifier, concept.instance.class_noun)
    return Fix(message("fix.caption", "Write {text}", text=text), {f"concepts.{number}.instance.prompt": new})


def _free_words(concept: Concept) -> list[str]:
    """Rare words that are neither the identifier already nor the class."""
    held = f"{concept.instance.identifier} {concept.instance.class_noun}"
    return [word for word in RARE_WORDS if not has_words(held, word)]


def _rare_words(number: int, concept: Concept) -> tuple[Fix, ...]:
    """Each a word that is free; the caption names it too, where it is the same for every picture and did not."""
    template, more = concept.instance.prompt, {}
    old, noun = concept.instance.identifier, concept.instance.class_noun
    if "{identifier}" not in template and FILEWORDS not in template:
        named = words_pattern(old).search(template) if old.strip() and not has_words(noun, old) else None
        new = f"{template[: named.start()]}{{identifier}}{template[named.end() :]}" if named else _before_class(
            template, noun)  # fmt: skip
        more = {f"concepts.{number}.instance.prompt": new}
    return tuple(Fix(message("fix.identifier", "Use {word}", word=word),
                     {f"concepts.{number}.instance.identifier": word, **more})
                 for word in _free_words(concept))  # fmt: skip
