"""The pictures: that there are some, that they can be read, and that they fill the batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core.config.findings import Finding, Fix, Level
from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.settle import absolute
from core.data.scan import Scan
from core.demo.source import is_demo
from core.planning.buckets import concept_sizes
from core.planning.class_pictures import likeness_of
from core.planning.facts import Facts
from core.planning.memory import resolution_of
from core.texts import UserError, apart, counted, listed, message, noted, path_in_words, say

FEW, MANY = 3, 100
MOST_PAIRS = 4
SUFFIXES = (".avif", ".bmp", ".gif", ".heic", ".heif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Of files that are meant to be pictures, readable or not."""


def directories(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Each concept has a readable folder with pictures in it."""
    for number, concept in enumerate(config.concepts):
        field = f"concepts.{number}.instance.directory"
        if not concept.instance.directory.strip():
            yield Finding(Level.ERROR, field, message(
                "pictures.no-directory", "No folder with your pictures is chosen.",
                mend="Name the folder that holds three to twenty pictures of your subject."))  # fmt: skip
            continue
        found = facts.scans[number] if number < len(facts.scans) else None
        if isinstance(found, UserError):
            yield Finding(Level.ERROR, field, found.message, meant(found, field))
        elif found is not None and _holds_none(found):
            yield Finding(Level.ERROR, field, message(
                "pictures.none", "There are no pictures in {directory}.",
                mend="Put three or more pictures (PNG, JPEG, WebP) into it, or choose another folder.",
                directory=concept.instance.directory))  # fmt: skip


def meant(problem: UserError, field: str) -> tuple[Fix, ...]:
    """The path that was probably meant, where one leads nowhere (see `core.nearby`)."""
    near = problem.message.values.get("near")
    return (Fix(message("fix.near", "Take {path}", path=near), {field: str(near)}),) if near else ()


def unreadable(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Files that are no pictures or damaged ones, each by name and reason."""
    for number, concept in enumerate(config.concepts):
        if (found := facts.scan(number)) is not None:
            path = f"concepts.{number}.instance.leave_out_unreadable"
            field = f"concepts.{number}.instance.directory"
            fix = Fix(message("fix.leave-out", "Train without it"), {path: True})
            for refused in found.refused:
                if _holds_none(found) and refused.reason.code != "picture.unreadable":
                    continue  # that it holds no pictures says it
                if concept.instance.leave_out_unreadable:
                    yield Finding(Level.WARNING, field, message(
                        "picture.left-out", "{reason} It is left out.", reason=refused.reason.text))  # fmt: skip
                else:
                    yield Finding(Level.ERROR, field, refused.reason, (fix,))
        directory = concept.prior.directory
        if concept.prior.images_per_instance and directory in facts.class_folders_gone:
            field = f"concepts.{number}.prior.directory"
            yield Finding(Level.WARNING, field, message(
                "class.run-gone", "The class folder {directory} is not there any more, nor is the run {run}: class "
                "pictures are made and kept in this run.", mend="If you have moved them, name their folder.",
                directory=path_in_words(directory), run=facts.class_folders_gone[directory]),
                (Fix(message("fix.class-folder", "Keep class pictures in the run"), {field: ""}),))  # fmt: skip
            continue
        held = facts.prior_scans[number] if number < len(facts.prior_scans) else None
        if not concept.prior.images_per_instance or held is None:
            continue
        field = f"concepts.{number}.prior.directory"
        if not isinstance(held, UserError):
            for refused in held.refused:
                said = message("class.unreadable", "A class picture is left out: {reason}", reason=refused.reason.text)
                yield Finding(Level.WARNING, field, said)
        elif held.code == "pictures.missing":
            yield Finding(Level.HINT, field, message(
                "class.new-folder", "The class folder {directory} does not exist yet: it is made, and every class "
                "picture is generated into it.", mend="If you have class pictures, check the path.",
                directory=concept.prior.directory))  # fmt: skip
        else:
            yield Finding(Level.ERROR, field, held.message)


def notes(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """What was noticed about single pictures while reading them."""
    for number in range(len(config.concepts)):
        found = facts.scan(number)
        for note in (note for picture in (found.pictures if found else ()) for note in picture.notes):
            yield Finding(Level.HINT, f"concepts.{number}.instance.directory", note)


def amount(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Three to some dozens is what DreamBooth is made for."""
    for number in range(len(config.concepts)):
        found = facts.scan(number)
        count = len(found.pictures) if found else 0
        field = f"concepts.{number}.instance.directory"
        if 0 < count < FEW:
            yield Finding(Level.WARNING, field, message(
                "pictures.few", "{count} is very few: the model will remember the pictures rather than the subject.",
                mend="Three or more, from different sides and in different light, work much better.",
                count=counted(count, "picture")))  # fmt: skip
        elif count > MANY:
            yield Finding(Level.HINT, field, message(
                "pictures.many", "{count} pictures are a lot for one subject; three to twenty good ones are enough "
                "and train much faster.", mend="Fewer epochs will do.", count=count))  # fmt: skip


def small(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Pictures smaller than the training size are enlarged and teach blur."""
    resolution = resolution_of(config, facts.description)
    for number in range(len(config.concepts)):
        found, sizes = facts.scan(number), concept_sizes(config, facts, number)
        if found is None or sizes is None:
            continue
        names = [noted(path_in_words(picture.path.name), f"{picture.width} × {picture.height}")
                 for picture, size in zip(found.pictures, sizes, strict=True)
                 if size and (picture.width < size.width or picture.height < size.height)]  # fmt: skip
        if names:
            than = say("pictures.their-size", "their training size") if config.images.buckets else f"{resolution} px"
            yield Finding(Level.WARNING, f"concepts.{number}.instance.directory", message(
                "pictures.small", "{count} smaller than {than} and will be enlarged, which teaches blur: {names}.",
                mend="Use larger originals if you have them.", than=than, size=resolution, names=listed(names),
                count=say("pictures.one-is", "1 picture is") if len(names) == 1 else
                say("pictures.many-are", "{count} pictures are", count=len(names))))  # fmt: skip


def alike(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Near duplicates count several times and are remembered rather than learned from."""
    for number in range(len(config.concepts)):
        found = facts.scan(number)
        pairs = found.alike if found is not None else ()
        if pairs:
            names = [say("pictures.pair", "{first} and {second}", first=path_in_words(first.name),
                         second=path_in_words(second.name)) for first, second in pairs]  # fmt: skip
            yield Finding(Level.WARNING, f"concepts.{number}.instance.directory", message(
                "pictures.alike", "Some pictures show nearly the same: {pairs}. They count double, and the model "
                "remembers them rather than the subject.", mend="Keep one of each.",
                pairs=apart(names[:MOST_PAIRS]) + (
                    say("pictures.more-pairs", " (and {count} more)", count=len(names) - MOST_PAIRS)
                    if len(names) > MOST_PAIRS else "")))  # fmt: skip


def folders(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Class pictures and instance pictures must not mix, whatever links and dots the paths take."""
    for number, concept in enumerate(config.concepts):
        prior = facts.resolved.get(concept.prior.directory)
        if prior is None:
            continue
        for other, subject in enumerate(config.concepts):
            instance = facts.resolved.get(subject.instance.directory)
            if instance is not None and _overlap(instance, prior):
                code, said = _folder_words(instance, prior)
                yield Finding(Level.ERROR, f"concepts.{number}.prior.directory", message(
                    code, said, mend="Leave the class folder empty (class pictures are then kept in the run), or "
                    "choose a folder of its own.", class_folder=path_in_words(prior), folder=path_in_words(instance),
                    concept=other + 1),
                    (Fix(message("fix.class-folder", "Keep class pictures in the run"),
                         {f"concepts.{number}.prior.directory": ""}),))  # fmt: skip
                break


def same_pictures(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Two concepts that learn from the same folder learn to be each other."""
    seen: dict[Path, int] = {}
    for number, concept in enumerate(config.concepts):
        folder = facts.resolved.get(concept.instance.directory)
        first = next((other for path, other in seen.items() if folder and _overlap(path, folder)), None)
        if first is not None:
            yield Finding(Level.WARNING, f"concepts.{number}.instance.directory", message(
                "pictures.shared", "Concepts {first} and {second} learn from the same pictures.",
                mend="Give each its own folder.", first=first + 1, second=number + 1))  # fmt: skip
        elif folder is not None:
            seen[folder] = number


def class_pictures(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Another run has made the class pictures that this one would make, as many as it needs or more."""
    if not facts.class_pictures:
        return
    settled = config
    if facts.local_source and not is_demo(facts.local_source):
        settled = with_changes(config, {"model.source": str(absolute(facts.local_source))})
    for number, concept in enumerate(config.concepts):
        found = facts.scan(number)
        wanted = concept.prior.images_per_instance * len(found.pictures) if found is not None else 0
        if not wanted or concept.prior.directory:
            continue
        mine = likeness_of(settled, concept)
        there = next((other for other in facts.class_pictures if other.likeness == mine and other.count >= wanted),
                     None)  # fmt: skip
        if there is not None:
            field = f"concepts.{number}.prior.directory"
            yield Finding(Level.HINT, field, message(
                "class.there", "The run {run} has made class pictures of the same kind already: {there}, and this one "
                "needs {wanted:,}.", mend="Use them, and none has to be made. They stay in the folder of that run; if "
                "it is deleted, this one keeps them.", run=there.run, there=counted(there.count, "picture"),
                wanted=wanted),
                (Fix(message("fix.class-there", "Use the class pictures of {run}", run=there.run),
                     {field: str(there.directory)}),))  # fmt: skip


CHECKS = (directories, unreadable, notes, amount, small, alike, folders, same_pictures, class_pictures)


def _holds_none(found: Scan) -> bool:
    """Whether it is the wrong folder: no file in it is a picture, nor was meant to be one, nor is of a known kind."""
    return not found.pictures and not any(
        refused.path.suffix.lower() in SUFFIXES or "name" in refused.reason.values for refused in found.refused
    )


def _overlap(first: Path, second: Path) -> bool:
    return first == second or first in second.parents or second in first.parents


def _folder_words(instance: Path, prior: Path) -> tuple[str, str]:
    if instance == prior:
        return "class.same-folder", "The class folder is the folder of your own pictures ({folder})."
    if instance in prior.parents:
        return "class.inside", ("The class folder {class_folder} lies inside the folder of your pictures {folder}, "
                                "which is read with its subfolders: class pictures would be learned as your "
                                "subject.")  # fmt: skip
    return "class.around", ("The folder of your pictures {folder} lies inside the class folder {class_folder}, which "
                            "is read with its subfolders: your pictures would count as class pictures.")  # fmt: skip
