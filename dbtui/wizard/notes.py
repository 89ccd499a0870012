"""The lines beside a field: what is wrong, the key that mends it, and what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.config.findings import Finding, Level
from core.config.table import find_option
from core.data.scan import Scan
from core.demo.source import is_demo
from core.families import FAMILIES
from core.families.describe import SourceDescription
from core.planning.checks.words import MANY_TOKENS
from core.texts import Texts, beside, counted, joined, listed, say, size_in_words, valued
from dbtui.safe import safe, safe_message
from dbtui.wizard.context import PRESET, SOURCE, WizardContext
from dbtui.wizard.explaining import preset_title, purpose_of
from dbtui.wizard.rows import GOOD, MARKS, QUIET, Line
from dbtui.wizard.values import in_words

if TYPE_CHECKING:
    from core.data.scan import Picture

MOST_FINDINGS = 3
"""Beside one field; a folder may hold hundreds of files that are no pictures."""
TELLING = ("intervals.epochs", "learning_rate.rate", "concepts.0.prior.images_per_instance",
           "performance.text_encoder_ratio")  # fmt: skip
"""What presets differ in most."""
KINDS = Texts("source.kind", {
    "folder": "diffusers folder", "safetensors": ".safetensors file", "ckpt": ".ckpt file",
})  # fmt: skip


def lines_for(context: WizardContext, path: str, busy: bool) -> tuple[Line, ...]:
    """All lines of one field; `busy` while the disk is being looked at."""
    found = [finding for finding in context.findings if finding.field == path and context.shown(finding)]
    lines = [line for finding in found[:MOST_FINDINGS] for line in finding_lines(finding)]
    if len(found) > MOST_FINDINGS:
        lines.append(
            Line(*QUIET, say("notes.more", "and {count} more; Review lists them all", count=len(found) - MOST_FINDINGS))
        )
    if path == PRESET:
        return tuple(_preset_lines(context, busy))
    if path == SOURCE:
        lines += _source_lines(context, busy)
    elif path.endswith("instance.directory"):
        mark = QUIET if any(finding.level is Level.ERROR for finding in found) else GOOD
        lines += _picture_lines(context, int(path.split(".")[1]), busy, mark)
    elif path.endswith("instance.identifier"):
        lines += _token_lines(context, int(path.split(".")[1]))
    return tuple(lines)


def finding_lines(finding: Finding) -> list[Line]:
    """The message, and the key that mends it."""
    mark, colour = MARKS[finding.level]
    lines = [Line(mark, colour, safe_message(finding.message))]
    if len(finding.fixes) == 1:
        lines.append(
            Line("→", "$text-accent", say("notes.fix", "F2: {label}", label=safe_message(finding.fixes[0].label)))
        )
    elif finding.fixes:
        lines.append(
            Line("→", "$text-accent", say("notes.ways", "F2 offers {count} ways to mend it", count=len(finding.fixes)))
        )
    return lines


def _preset_lines(context: WizardContext, busy: bool) -> list[Line]:
    broken = context.broken_presets
    lines = [Line(*MARKS[Level.WARNING], safe_message(error.message)) for error in broken[:MOST_FINDINGS]]
    if len(broken) > MOST_FINDINGS:
        lines.append(Line(*QUIET, say("preset.broken-more", "and more; `dbtui presets` names them all")))
    if context.missing_preset:
        gone = say("preset.gone", "The preset {name}, chosen before, is no longer there: what it set is as the program "
                   "chooses.", name=safe(context.missing_preset))  # fmt: skip
        lines.append(Line(*MARKS[Level.WARNING], gone))
    preset = context.presets.get(context.preset)
    if context.copy_of:
        lines.append(Line(*QUIET, _copy_in_words(context, has_preset=preset is not None)))
        if preset is None:
            return lines
    if preset is None:
        return [*lines, _without_preset(context)]
    changes = [say("preset.change", "{title} {new} (was {old})", title=option.title, old=in_words(old),
                   new=in_words(new)) for option, old, new in context.changes_of_preset()]  # fmt: skip
    said = say("preset.sets.nothing", "It changes nothing.")
    if changes:
        said = say("preset.sets", "It fills in for you: {changes}. You need not touch these; F1 on one explains it.",
                   changes=joined(changes))  # fmt: skip
    if is_demo(context.config.model.source):
        over = say("preset.sets.demo", "The demo's own numbers go over the rest.")
        said = f"{said}{say('message.gap', ' ')}{over}" if changes else over
    purpose = purpose_of(preset) or preset_title(preset)
    lines[:0] = [Line(*GOOD, purpose), Line(*QUIET, safe(said))]
    if preset.depends_on_family and context.config.model.source and not (context.family or busy):
        unknown = say("preset.sets.family", "For now these are its numbers for Stable Diffusion 1, as the model's kind "
                      "is not known yet. If it is another one, choose it in Family (F5 shows it).")  # fmt: skip
        lines.insert(2, Line(*QUIET, unknown))
    return lines


def _without_preset(context: WizardContext) -> Line:
    """What a preset is for; and what is in force without one, where the field was passed over."""
    if PRESET not in context.visited:
        none = say("preset.none", "Enter opens the list. A preset sets what suits a face, a style or a thing.")
        return Line(*QUIET, none)
    values = joined(valued(find_option(path).title, in_words(context.value(path))) for path in TELLING)
    if is_demo(context.config.model.source):
        return Line(*MARKS[Level.HINT], safe(say(
            "preset.without", "No preset is chosen. In force is what suits the small model of the program: {values}.",
            values=values)))  # fmt: skip
    return Line(*MARKS[Level.WARNING], safe(say(
        "preset.without", "No preset is chosen. In force is what the program begins with, for no subject in "
        "particular: {values}. Enter opens the list.", values=values)))  # fmt: skip


def _copy_in_words(context: WizardContext, *, has_preset: bool) -> str:
    """Which run it is a copy of, and how that one stands to the preset that is chosen."""
    name = safe(context.copy_of)
    if not has_preset:
        return say("preset.copy.none", "A copy of {run}, whose preset is not known: its values stand in the fields.",
                   run=name)  # fmt: skip
    differs = context.differs_from_preset()
    if not differs:
        return say("preset.copy.same", "A copy of {run}, which has this preset's values.", run=name)
    return say("preset.copy.differs", "A copy of {run}. Other than in this preset: {titles}.", run=name,
               titles=listed(option.title for option in differs))  # fmt: skip


def _source_lines(context: WizardContext, busy: bool) -> list[Line]:
    facts = context.facts
    source = facts.source if facts is not None else None
    if isinstance(source, SourceDescription) and is_demo(source.source):
        said = say("source.demo", "The small model that comes with the program: {side} px, {size}. It sets rate, steps "
                   "and previews to what suits it.", side=source.native_resolution,
                   size=size_in_words(source.bytes))  # fmt: skip
        return [Line(*GOOD, said)]
    if isinstance(source, SourceDescription):
        facts_of = (family_title(source.family), f"{source.native_resolution} px", KINDS[source.kind],
                    size_in_words(source.bytes))  # fmt: skip
        return [Line(*GOOD, beside(facts_of))]
    if busy and source is None and context.config.model.source:
        return [Line(*QUIET, say("notes.looking", "Looking at it …"))]
    return []


def family_title(family: str) -> str:
    return FAMILIES[family].title if family in FAMILIES else family


def _picture_lines(context: WizardContext, number: int, busy: bool, mark: tuple[str, str]) -> list[Line]:
    facts = context.facts
    scan = facts.scans[number] if facts is not None and number < len(facts.scans) else None
    if isinstance(scan, Scan):
        if not scan.pictures:
            return []
        found = beside((counted(len(scan.pictures), "picture"), sizes(scan.pictures)))
        if scan.refused:
            found = say("notes.left-out", "{found}; {files} left out", found=found,
                        files=counted(len(scan.refused), "file"))  # fmt: skip
        more = say("notes.pictures-key", "Ctrl+O: each one, what is cut off, its caption")
        return [Line(*mark, found), Line(*QUIET, more)]
    if busy and context.config.concepts[number].instance.directory:
        return [Line(*QUIET, say("notes.looking-for", "Looking for pictures …"))]
    return []


def sizes(pictures: tuple[Picture, ...]) -> str:
    """The sizes in a few words: `512 × 512 px`, or the smallest and the largest."""
    distinct = sorted({(picture.width, picture.height) for picture in pictures}, key=lambda size: size[0] * size[1])
    least, most = distinct[0], distinct[-1]
    first = f"{least[0]} × {least[1]}"
    if least == most:
        return f"{first} px"
    return say("notes.sizes", "{least} to {most} px", least=first, most=f"{most[0]} × {most[1]}")


def _token_lines(context: WizardContext, number: int) -> list[Line]:
    """How the model reads the identifier, where no finding says it."""
    tokens = context.tokens(number)
    if tokens is None or not 0 < tokens.count < MANY_TOKENS:
        return []
    told = say("notes.token", "one piece (1 token)")
    if tokens.count > len(tokens.pieces):
        told = say("notes.tokens-each", "The model reads it in {tokens}: a character of this script takes several",
                   tokens=counted(tokens.count, "token"))  # fmt: skip
    elif tokens.count > 1:
        told = say("notes.tokens", "The model reads it in pieces, {tokens}: {pieces}",
                   tokens=counted(tokens.count, "token"), pieces=" · ".join(map(safe, tokens.pieces)))  # fmt: skip
    return [Line(*GOOD, told)]
