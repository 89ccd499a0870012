"""The options as a flat table, read from the models in `options.py`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from core.config.options import RunConfig
from core.texts import ENGLISH, UserError, in_force, joined, language, say

OptionType = Literal["integer", "number", "switch", "text"]


@dataclass(frozen=True)
class Option:
    """One option. `path` has `*` for the concept's number: `concepts.*.instance.prompt`."""

    path: str
    title: str
    help: str
    unit: str
    type: OptionType
    default: Any
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    exclusive_minimum: bool
    more: bool
    kind: str
    expects: str = ""

    @property
    def section(self) -> str:
        return self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def takes_number(self) -> bool:
        """Whether a number can be its value, beside a word (`auto`) or with a sign (`10%`)."""
        return self.type in ("integer", "number") or bool(self.expects) or self.name in ("warmup_steps", "resolution")

    @property
    def expectation(self) -> str:
        """What a value must be, in words: `a whole number from 1 to 1024`."""
        if self.choices:
            return say("expects.one-of", "one of {choices}", choices=joined(self.choices))
        if self.expects:
            return self.expects
        if self.name == "warmup_steps":
            return say("expects.warm-up", 'a number of updates, or a share of the run such as "10%"')
        if self.name == "resolution":
            return say("expects.resolution", "auto, or a number of pixels from 8 to 4096")
        if self.path == "model.name" or self.name in ("name", "export_name"):
            return say("expects.name", "letters, digits, - _ and . (at most 64, not starting with - or .)")
        if self.type == "switch":
            return say("expects.switch", "true or false")
        if self.type == "text":
            return say("expects.text", "text")
        whole = self.type == "integer"
        word = say("expects.whole", "a whole number") if whole else say("expects.number", "a number")
        low, high = ("" if limit is None else _in_words(limit) for limit in (self.minimum, self.maximum))
        if low and high and self.exclusive_minimum:
            return say("expects.above-up-to", "{number} above {low} and up to {high}", number=word, low=low, high=high)
        if low and high:
            return say("expects.from-to", "{number} from {low} to {high}", number=word, low=low, high=high)
        if low and self.exclusive_minimum:
            return say("expects.above", "{number} above {low}", number=word, low=low)
        if low:
            return say("expects.at-least", "{number} of at least {low}", number=word, low=low)
        return say("expects.at-most", "{number} up to {high}", number=word, high=high) if high else word


def option_table() -> tuple[Option, ...]:
    """Every option, in the order of `run.toml`, its words in the language in force."""
    return _table_in(language())


def english_table() -> tuple[Option, ...]:
    """The same as it stands in the source."""
    return _table_in(ENGLISH)


def find_option(path: str, table: Sequence[Option] = ()) -> Option:
    """The option at `path` (`concepts.0.sample.count`); a `UserError` with the nearest right name if there is none."""
    wanted = generic(path)
    for entry in table or option_table():
        if entry.path == wanted:
            return entry
    raise UserError(
        "config.unknown",
        "There is no option {path}.{nearest}",
        mend="`dbtui options` lists them all.",
        path=path,
        nearest=did_you_mean(path),
    )


def section_words(name: str) -> tuple[str, str]:
    """Title and help of a table of `run.toml`: `model`, `learning_rate`, `concepts.prior`."""
    model: type[BaseModel] = RunConfig
    *tables, last = name.split(".")
    for part in tables:
        inner = _section_of(model.model_fields[part])
        assert inner is not None
        model = inner
    info = model.model_fields[last]
    return (in_force(f"section.{name}.title", info.title or name),
            in_force(f"section.{name}.help", info.description or ""))  # fmt: skip


def generic(path: str) -> str:
    """`concepts.0.sample.count` → `concepts.*.sample.count`."""
    return ".".join("*" if part.isdigit() else part for part in path.split("."))


def did_you_mean(path: str) -> str:
    """` Did you mean batch.size?`, or nothing where no name of an option or of a table is near.

    An option of the same name in another table comes first, then a like one in the same table, then any like path.
    """
    near = _nearest(generic(path))
    number = next((part for part in path.split(".") if part.isdigit()), "0")
    if not near or near == generic(path):
        return ""
    return say("nearest", " Did you mean {name}?", name=near.replace("*", number))


def _nearest(wanted: str) -> str:
    table, _, name = wanted.rpartition(".")
    options = [entry.path for entry in option_table()]
    namesakes = [path for path in options if path.rpartition(".")[2] == name]
    siblings = [path.rpartition(".")[2] for path in options if path.rpartition(".")[0] == table]
    if namesakes:
        return difflib.get_close_matches(wanted, namesakes, n=1, cutoff=0)[0]
    if near := difflib.get_close_matches(name, siblings, n=1, cutoff=0.5):
        return f"{table}.{near[0]}"
    sections = dict.fromkeys(entry.section for entry in option_table())
    return next(iter(difflib.get_close_matches(wanted, [*options, *sections], n=1)), "")


def _in_words(limit: float) -> str:
    """`1,000,000`, `0.5`: never `1e+06`."""
    return f"{limit:,.0f}" if limit == int(limit) else f"{limit:,}"


@cache
def _table_in(language: str) -> tuple[Option, ...]:
    english = tuple(_walk(RunConfig, ""))
    return english if language == ENGLISH else tuple(_said(option) for option in english)


def _said(option: Option) -> Option:
    code = f"option.{option.path}"
    return replace(
        option,
        title=in_force(f"{code}.title", option.title),
        help=in_force(f"{code}.help", option.help),
        unit=in_force(f"unit.{option.unit}", option.unit) if option.unit else "",
        expects=in_force(f"{code}.expects", option.expects) if option.expects else "",
    )


def _walk(model: type[BaseModel], prefix: str) -> Iterator[Option]:
    for name, info in model.model_fields.items():
        inner = _section_of(info)
        if inner is None:
            yield _option(f"{prefix}{name}", info)
        else:
            star = "*." if get_origin(info.annotation) is tuple else ""
            yield from _walk(inner, f"{prefix}{name}.{star}")


def _section_of(info: FieldInfo) -> type[BaseModel] | None:
    kinds = (info.annotation, *get_args(info.annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _option(path: str, info: FieldInfo) -> Option:
    limits = {name: value for part in info.metadata for name in ("ge", "gt", "le")
              if (value := getattr(part, name, None)) is not None}  # fmt: skip
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    kinds: dict[Any, OptionType] = {bool: "switch", int: "integer", float: "number"}
    return Option(
        path=path,
        title=info.title or path,
        help=info.description or "",
        unit=str(extra.get("unit", "")),
        type=kinds.get(info.annotation, "text"),
        default=info.default,
        choices=tuple(str(choice) for choice in extra.get("choices", ())),  # type: ignore[union-attr]
        minimum=limits.get("ge", limits.get("gt")),
        maximum=limits.get("le"),
        exclusive_minimum="gt" in limits,
        more=bool(extra.get("more", False)),
        kind=str(extra.get("kind", "")),
        expects=str(extra.get("expects", "")),
    )
