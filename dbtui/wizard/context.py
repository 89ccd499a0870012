"""What the wizard knows: the raw text of every field, the preset, the facts. Lives outside the screens."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.config.findings import Finding, Fix, Level
from core.config.options import Concept, RunConfig
from core.config.own_presets import Keepable, keepable, save_preset
from core.config.parsing import parse_leniently, put, value_at
from core.config.presets import LORA_ENABLED, Preset, Presets, load_presets, user_presets_directory
from core.config.table import Option, generic, option_table
from core.data.scan import Picture, Refused
from core.data.sizes import Size
from core.demo.preset import chosen
from core.demo.source import is_demo
from core.families import FAMILIES
from core.families.describe import SourceDescription
from core.machine import Card, groups_of
from core.planning.buckets import concept_sizes
from core.planning.checks import check
from core.planning.checks.run import named_freely
from core.planning.duration import Duration, estimate
from core.planning.facts import Facts
from core.planning.plan import Plan, make_plan
from core.texts import UserError
from dbtui.drafts import Draft, new_id, without_concept
from dbtui.wizard.looked import (
    Looked,
    Tokens,
    class_pictures_asked,
    everything_asked,
    pictures_asked,
    source_asked,
    still_true,
)
from dbtui.wizard.values import as_text

PRESET = "preset"
"""The path of the one field that is no option."""
SOURCE = "model.source"
OF_EACH_RUN = ("model.", "concepts.*.name", *(f"concepts.*.instance.{name}" for name in (
    "directory", "identifier", "class_noun")), "concepts.*.sample.seed", "performance.seed")  # fmt: skip
"""What a run has for itself, whatever it began with."""
NOT_COPIED = ("name", "instance.directory", "instance.identifier")
"""Of a concept: what each has for itself."""


WITHOUT_CLASS = ("class.options-unused", "prior.off", "prior.scaled-unused", "prior.weight-unused")
OF_LENGTH = ("save.never", "sample.never", "sample.ends-only", "validate.ends-only", "warmup.long", "epochs.unused",
             "interval.never", "text-encoder.never")  # fmt: skip
HANGS_ON = {"images_per_instance": WITHOUT_CLASS, "epochs": OF_LENGTH, "max_steps": OF_LENGTH}
"""Name of an option → what is found because of its value: nobody knows while the field holds none."""


class WizardContext:
    """The state of one wizard. `config` and `findings` follow every edit; `looked` follows when the disk was read."""

    def __init__(self, home: Path, draft: Draft | None = None) -> None:
        self.home = home
        self.id = draft.id if draft else new_id()
        self.presets: dict[str, Preset] = {}
        self.broken_presets: tuple[UserError, ...] = ()
        self.preset = draft.preset if draft else ""
        self.copy_of = draft.copy_of if draft else ""
        """The name of the run that this one began as a copy of."""
        self.missing_preset = ""
        """The one that was chosen in an earlier sitting, if it is not there any more."""
        self.concepts = draft.concepts if draft else 1
        self.texts: dict[str, str] = dict(draft.texts) if draft else {}
        self.step = draft.step if draft else "model"
        self.visited: set[str] = set(self.texts)
        self.more = False
        self.chosen_cards: tuple[str, ...] = ()
        """Those that the run is given, by id; none: the one that is best."""
        self.looked: Looked | None = None
        self._looked_at: RunConfig | None = None
        self._bases: dict[tuple[str, str, int, str, bool | None], RunConfig] = {}
        self.family = ""
        """Of the source; empty as long as it is not known."""
        self.config = RunConfig()
        self.findings: list[Finding] = []
        self.unread: list[Finding] = []
        """Fields whose text is no value."""
        self._take_presets(read_presets())
        self.settle()

    def in_other_words(self, found: Presets) -> None:
        """The language has changed: `found` are the presets, read anew, and the rest was said in the one before."""
        self._take_presets(found)
        self.settle()

    # --- fields ---------------------------------------------------------------------------------------------------

    def base(self, preset: str | None = None, *, with_demo: bool = True) -> RunConfig:
        """What the program and the preset choose, for the source's family and for LoRA where it was turned on or off,
        and the demo's numbers where it is the source; all of it before anything was typed.
        """
        source = self.texts.get(SOURCE, "") if with_demo else ""
        name = self.preset if preset is None else preset
        wanted = (name, source if is_demo(source) else "", self.concepts, self.family, self.lora)
        if wanted not in self._bases:
            plain = RunConfig(concepts=tuple(Concept() for _ in range(self.concepts)))
            self._bases[wanted] = chosen(plain, self.presets.get(name), source=source, family=self.family,
                                         lora=self.lora)  # fmt: skip
        return self._bases[wanted]

    @property
    def lora(self) -> bool | None:
        """Whether LoRA was turned on or off by hand; `None` where that is left to the preset."""
        return {"true": True, "false": False}.get(self.texts.get(LORA_ENABLED, ""))

    def text(self, path: str) -> str:
        """The text in the field at `path`."""
        if path == PRESET:
            return self.preset
        return self.texts[path] if path in self.texts else self.base_text(path)

    def value(self, path: str) -> Any:
        """What the field at `path` holds, as far as its text is a value."""
        return value_at(self.config, path)

    def base_text(self, path: str) -> str:
        """The text in the field before anything was typed."""
        return as_text(value_at(self.base(), path))

    def is_changed(self, path: str) -> bool:
        """Whether the field holds something else than the preset, or the program, chooses."""
        return path in self.texts and self.texts[path] != self.base_text(path)

    def edit(self, path: str, text: str) -> None:
        """Take what was typed; a field that holds its base value again counts as untouched.

        Nobody else's change (of the preset, the source, the method) takes away what was typed, not even where it makes
        it the base value for a while.
        """
        if path == PRESET:
            self.preset = text
            self.missing_preset = ""
        elif text == self.base_text(path):
            self.texts.pop(path, None)
        else:
            self.texts[path] = text
        self.settle()

    def put_back(self, path: str) -> None:
        """Undo what was typed at `path`."""
        if path == PRESET:
            self.edit(PRESET, "")
        elif self.texts.pop(path, None) is not None:
            self.settle()

    def mend(self, fix: Fix) -> None:
        """Apply a fix: each of its changes as if it had been typed."""
        for path, value in fix.changes.items():
            self.visited.add(path)
            self.edit(path, as_text(value))

    def add_concept(self) -> None:
        self.concepts += 1
        self.settle()

    def copy_concept(self, number: int) -> None:
        """Another concept with the texts of concept `number` (from 0), but for its name and its own pictures."""
        prefix, new = f"concepts.{number}.", f"concepts.{self.concepts}."
        for path, text in list(self.texts.items()):
            if path.startswith(prefix) and path.removeprefix(prefix) not in NOT_COPIED:
                self.texts[new + path.removeprefix(prefix)] = text
        self.add_concept()

    def remove_concept(self, number: int) -> None:
        """Take concept `number` (from 0) out; those after it move up. One always stays."""
        if self.concepts == 1:
            return
        self.texts = dict(without_concept(self.texts, number))
        self.visited = {path for path, _ in without_concept(dict.fromkeys(self.visited, ""), number)}
        self.concepts -= 1
        self.settle()

    def values_of_preset(self) -> dict[str, Any]:
        """What the chosen preset sets; nothing where none is chosen."""
        preset = self.presets.get(self.preset)
        return preset.values_for(self.family, self.lora) if preset is not None else {}

    def differs_from_preset(self) -> list[Option]:
        """Those options that hold something else than the preset, or the program, chooses; not what names the subject
        and the model, nor seeds, which each run draws.
        """
        return [option for option in option_table() if not option.path.startswith(OF_EACH_RUN) and any(
            self.is_changed(option.path.replace("*", str(number))) for number in range(self.concepts))]  # fmt: skip

    def changes_of_preset(self) -> list[tuple[Option, Any, Any]]:
        """What the chosen preset sets otherwise than the program would: option, before, after."""
        before, after = self.base(""), self.base()
        rows = ((option, option.path.replace("*", "0")) for option in option_table())
        pairs = ((option, value_at(before, path), value_at(after, path)) for option, path in rows)
        return [(option, old, new) for option, old, new in pairs if old != new]

    # --- presets --------------------------------------------------------------------------------------------------

    def keepable(self) -> Keepable:
        """What of the present fields a preset of one's own would keep: of the demo's own numbers none."""
        return keepable(self._read(self.base(with_demo=False))[0])

    def choose_kept(self, saved: Preset, found: Presets) -> None:
        """Choose the preset that the present fields were saved as; `found` are those that there are since."""
        self.preset = saved.id
        self._take_presets(found)
        self.texts = {path: text for path, text in self.texts.items() if text != self.base_text(path)}
        self.settle()

    def _take_presets(self, found: Presets) -> None:
        self.presets, self.broken_presets = dict(found.known), tuple(found.broken.values())
        self._bases.clear()
        if self.preset not in self.presets:
            self.preset, self.missing_preset = "", self.preset

    # --- what follows -----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Read the fields and run the checks on what is known: pure, at every key."""
        self.family = self._family()
        self.config, self.unread = self._read(self.base())
        self.findings = list(self.unread)
        facts = self.facts
        if facts is not None:
            self.findings = [named_freely(finding, facts) for finding in self.unread]
            wrong = {finding.field for finding in self.findings}
            unsure = {code for path in wrong for code in HANGS_ON.get(path.rpartition(".")[2], ())}
            self.findings += [
                finding for finding in check(self.config, facts)
                if finding.field not in wrong and finding.code not in unsure
            ]  # fmt: skip

    def _read(self, base: RunConfig) -> tuple[RunConfig, list[Finding]]:
        """`base` with what was typed, and the fields whose text is no value."""
        raw = base.model_dump(mode="python")
        raw["concepts"] = list(raw["concepts"])
        for path, text in self.texts.items():
            put(raw, path, text)
        return parse_leniently(raw)

    def _family(self) -> str:
        """The family of the source as it was found, else as it was named."""
        named = self.texts.get("model.family", "")
        asked = (self.texts.get(SOURCE, ""), named or "auto",
                 *(self.texts.get(f"model.{name}", "") for name in ("revision", "variant")))  # fmt: skip
        if self.looked is not None and self._looked_at is not None and source_asked(self._looked_at) == asked:
            found = self.looked.facts.source
            if isinstance(found, SourceDescription):
                return found.family
        return named if named in FAMILIES else ""

    @property
    def facts(self) -> Facts | None:
        """What is known of the disk for the present fields; what belongs to older text is left out."""
        if self.looked is None or self._looked_at is None:
            return None
        facts, then, now = self.looked.facts, self._looked_at, self.config
        machine, count = facts.machine, 1
        if machine is not None and len(machine.cards) > 1:
            machine, count = machine.using(self.cards), len(self.cards)
        return dataclasses.replace(
            facts,
            machine=machine,
            processes=count,
            processes_here=count,
            brought=self.base(),
            source=facts.source if source_asked(then) == source_asked(now) else None,
            scans=still_true(facts.scans, pictures_asked(then), pictures_asked(now)),
            prior_scans=still_true(facts.prior_scans, class_pictures_asked(then), class_pictures_asked(now)),
        )

    def pictures(self, number: int) -> list[tuple[Picture, Size | None]]:
        """Those of a concept that are known, each with the size it trains at."""
        facts = self.facts
        found = facts.scan(number) if facts is not None else None
        if facts is None or found is None:
            return []
        sizes = concept_sizes(self.config, facts, number) or [None] * len(found.pictures)
        return list(zip(found.pictures, sizes, strict=True))

    def refused(self, number: int) -> tuple[Refused, ...]:
        """The files of a concept's folder that cannot be read as pictures."""
        found = self.facts.scan(number) if self.facts is not None else None
        return found.refused if found is not None else ()

    @property
    def groups(self) -> list[tuple[Card, ...]]:
        """The cards that the run can be given; nothing where there is no choice."""
        machine = self.looked.facts.machine if self.looked is not None else None
        return groups_of(machine.cards) if machine is not None and len(machine.cards) > 1 else []

    @property
    def cards(self) -> tuple[str, ...]:
        """The ids of the cards that the run is given; nothing where there is no choice."""
        offered = [tuple(card.id for card in group) for group in self.groups]
        return self.chosen_cards if self.chosen_cards in offered else next(iter(offered), ())

    def give_cards(self, ids: tuple[str, ...]) -> None:
        """Train on these, a process on each."""
        self.chosen_cards = ids
        self.settle()

    def duration(self) -> Duration | None:
        """How long it takes, as far as former runs tell."""
        facts, plan = self.facts, self.plan()
        if facts is None or plan is None or self.looked is None:
            return None
        return estimate(self.config, facts, plan, self.looked.paces)

    def tokens(self, number: int) -> Tokens | None:
        """The identifier's tokens, if they were counted for what stands in the field now."""
        if self.looked is None or self._looked_at is None or number >= len(self._looked_at.concepts):
            return None
        then, now = self._looked_at.concepts[number].instance, self.config.concepts[number].instance
        return self.looked.tokens[number] if then.identifier == now.identifier else None

    def needs_look(self, decode: bool = False) -> bool:
        """Whether the disk or the vocabulary must be asked again."""
        if self.looked is None or self._looked_at is None or decode > self.looked.decoded:
            return True
        return everything_asked(self._looked_at) != everything_asked(self.config)

    def take(self, config: RunConfig, looked: Looked) -> None:
        """The answer for `config` is there."""
        self._looked_at, self.looked = config, looked
        self.settle()

    def plan(self) -> Plan | None:
        facts = self.facts
        return make_plan(self.config, facts) if facts is not None else None

    # --- findings ---------------------------------------------------------------------------------------------------

    def shown(self, finding: Finding) -> bool:
        """A field that nobody has been at yet does not complain that it is empty."""
        return not finding.field or finding.field in self.visited or self.text_or_empty(finding.field) != ""

    def text_or_empty(self, path: str) -> str:
        known = any(option.path == generic(path) for option in option_table())
        return self.text(path) if known else "-"

    def findings_of(self, step: str) -> list[Finding]:
        """Those whose field stands on the screen `step`; Review has them all."""
        return [finding for finding in self.findings if step in ("review", step_of(finding.field))]

    def taken_name(self, step: str) -> list[Finding]:
        """The run's name, where a run has it already, for the screens that neither have its field nor list everything:
        a draft may have been left on any of them before that run was made.
        """
        if step in ("review", "model"):
            return []
        return [finding for finding in self.findings if finding.code == "name.in-use"]

    def errors_of(self, step: str) -> list[Finding]:
        return [finding for finding in self.findings_of(step) if finding.level is Level.ERROR]

    def visit(self, step: str) -> None:
        """From now on every field of the screen says what it misses."""
        if step == "model":
            self.visited.add(PRESET)
        for option in option_table():
            if step_of(option.path) == step:
                numbers = range(self.concepts) if "*" in option.path else (0,)
                self.visited.update(option.path.replace("*", str(number)) for number in numbers)

    def draft(self) -> Draft:
        return Draft(self.id, self.preset, self.step, self.concepts, dict(self.texts), copy_of=self.copy_of)

    @property
    def is_worth_keeping(self) -> bool:
        return bool(self.texts or self.preset)


def read_presets() -> Presets:
    """The program's and one's own, from the disk. In any thread."""
    return load_presets(user_presets_directory())


def write_preset(name: str, title: str, values: Mapping[str, Any], *, replace: bool) -> tuple[Preset, Presets]:
    """Save a preset of one's own; it, and all that there are then. Raises `UserError` (see `save_preset`). In any
    thread.
    """
    saved = save_preset(user_presets_directory(), name, title or name, values, replace=replace)
    return saved, read_presets()


def step_of(field: str) -> str:
    """The screen that has the field: `concepts.0.name` → concepts; a finding without a field belongs to Review."""
    section = field.partition(".")[0]
    if section in ("model", "concepts"):
        return section
    return "parameters" if section else "review"
