"""Finding an option by a part of its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.config.table import Option, section_words

CONCEPTS = "concepts.*"


def find_options(text: str, table: Sequence[Option]) -> list[Option]:
    """The options in which every word of `text` stands: in their title, their name in `run.toml`, their section or
    their help. Those whose title begins with it come first, then those that have it in title, name, section, help; the
    table's order decides the rest. Nothing asked: every option.
    """
    words = text.lower().replace("_", " ").replace(".", " ").split()
    ranked = [(rank, option) for option in table if (rank := _rank(words, option)) is not None]
    return [option for _, option in sorted(ranked, key=lambda entry: entry[0])]


def section_title(option: Option) -> str:
    """What the options around it are called: `Prior preservation`."""
    section = option.section.replace(f"{CONCEPTS}.", "concepts.")
    return section_words("concepts" if section == CONCEPTS else section)[0]


def _rank(words: Sequence[str], option: Option) -> int | None:
    """The worst place in which one of the words stands; `None` where one stands nowhere."""
    title = option.title.lower()
    if words and title.startswith(" ".join(words)):
        return 0
    places = (title, option.path.lower().replace("_", " ").replace(".", " "), section_title(option).lower(),
              option.help.lower())  # fmt: skip
    found = [next((rank for rank, place in enumerate(places, 1) if word in place), None) for word in words]
    return None if None in found else max(_known(found), default=0)


def _known(ranks: Iterable[int | None]) -> Iterable[int]:
    return (rank for rank in ranks if rank is not None)
