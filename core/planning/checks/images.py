"""How pictures and captions are prepared: what does not fit together, and what would teach something else."""

from __future__ import annotations

from collections.abc import Iterator

from core.config.findings import Finding, Fix, Level
from core.config.options import Concept, RunConfig
from core.config.prompts import FILEWORDS, has_words, instance_prompt
from core.planning.buckets import picture_sizes
from core.planning.facts import Facts
from core.texts import counted, listed, message, path_in_words

SIDES = ("left", "right")
FEWEST_TAGS = 3
"""The first tag stays where it is: with two there is nothing to shuffle."""
WITHOUT_ALPHA = frozenset({".jpg", ".jpeg", ".bmp"})


def random_crop(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """What is cut out anew each time cannot be kept."""
    if config.images.crop == "random" and config.performance.cache_latents:
        yield Finding(Level.ERROR, "images.crop", message(
            "crop.cached", "Random crops are another picture each time, so they cannot be cached.",
            mend="Cut pictures in the middle, or encode them at each step (slower, more memory)."),
            (Fix(message("fix.crop-centre", "Cut them in the middle"), {"images.crop": "centre"}),
             Fix(message("fix.no-cache", "Encode them at each step"),
                 {"performance.cache_latents": False})))  # fmt: skip


def mirrored_words(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """A mirrored picture of what is on the left shows it on the right."""
    if not config.images.horizontal_flip:
        return
    for number, concept in enumerate(config.concepts):
        sided = [text for text in _captions(number, concept, facts) if any(has_words(text, side) for side in SIDES)]
        if sided:
            yield Finding(Level.WARNING, "images.horizontal_flip", message(
                "flip.sides", "{captions} of left or right, which is wrong in a mirrored picture: {examples}.",
                mend="Turn mirroring off, or leave the sides out of the captions.",
                captions=counted(len(sided), "caption speaks", "captions speak"), examples=listed(sided, 3)),
                (_off("images.horizontal_flip"),))  # fmt: skip


def tags(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Shuffling needs tags."""
    captions = [text for number, concept in enumerate(config.concepts) for text in _captions(number, concept, facts)]
    if config.images.shuffle_tags and captions and all(text.count(",") + 1 < FEWEST_TAGS for text in captions):
        yield Finding(Level.WARNING, "images.shuffle_tags", message(
            "tags.few", "There is nothing to shuffle: no caption has {fewest} tags with commas between them.",
            mend="Write tags into the captions, or turn shuffling off.", fewest=FEWEST_TAGS),
            (_off("images.shuffle_tags"),))  # fmt: skip


def dropout(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """A subject without its word is learned by every prompt."""
    share = config.images.caption_dropout
    if share > 0.3:
        yield Finding(Level.WARNING, "images.caption_dropout", message(
            "dropout.much", "{share:.0%} of the captions are left out: the subject will show up in every picture, "
            "whatever the prompt says.", mend="0.05 to 0.1 is usual.", share=share),
            (Fix(message("fix.dropout", "Leave out one in ten"), {"images.caption_dropout": 0.1}),))  # fmt: skip


def masks(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Masks are as large as their pictures, and there are some."""
    if not config.images.mask:
        return
    for number in range(len(config.concepts)):
        found = facts.scan(number)
        field = f"concepts.{number}.instance.directory"
        pictures = found.pictures if found else ()
        for picture in pictures:
            if picture.path in facts.mask_problems:
                yield Finding(Level.ERROR, field, facts.mask_problems[picture.path])
        bare = [path_in_words(picture.path.name) for picture in pictures
                if picture.mask_file is None and picture.path.suffix.lower() in WITHOUT_ALPHA]  # fmt: skip
        if bare and len(bare) == len(pictures):
            yield Finding(Level.WARNING, "images.mask", message(
                "mask.none", "None of the pictures in {directory} has a mask, so all of each is learned.",
                mend="Put <picture>-mask.png beside each (white where it counts), or turn masks off.",
                directory=config.concepts[number].instance.directory), (_off("images.mask"),))  # fmt: skip
        elif bare:
            yield Finding(Level.HINT, "images.mask", message(
                "mask.some", "{count} without a mask, of which all is learned: {names}.",
                mend="Put <picture>-mask.png beside each.", count=counted(len(bare), "picture"),
                names=listed(bare)))  # fmt: skip


def shapes(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Buckets are for pictures of different shapes; squares alone lose what they cut off."""
    source, sizes = facts.description, picture_sizes(config, facts)
    if source is None or sizes is None or not config.images.buckets:
        return
    used = sorted({size for own in sizes for size in own if size is not None})
    if len(used) == 1 and used[0].height == used[0].width:
        yield Finding(Level.HINT, "images.buckets", message(
            "buckets.square", "All pictures are nearly square: aspect-ratio buckets change nothing.",
            mend="They do no harm either."))  # fmt: skip


CHECKS = (random_crop, mirrored_words, tags, dropout, masks, shapes)


def _captions(number: int, concept: Concept, facts: Facts) -> list[str]:
    """Every caption of a concept that is known: one for all, or one for each picture."""
    template = instance_prompt(concept)
    found = facts.scan(number)
    if FILEWORDS not in template:
        return [template]
    words = [facts.words.get(picture.path) for picture in (found.pictures if found else ())]
    return [template.replace(FILEWORDS, own) for own in words if isinstance(own, str)]


def _off(field: str) -> Fix:
    return Fix(message("fix.off", "Turn it off"), {field: False})
