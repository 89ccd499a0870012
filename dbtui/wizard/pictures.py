"""The pictures of a subject one by one: what is cut off, what each is said to show, its caption edited in place."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from core.config.findings import Level
from core.config.prompts import FILEWORDS
from core.config.table import find_option
from core.data.captions import with_words, write_caption
from core.data.scan import CAPTION_SUFFIX, Picture, Refused
from core.data.sizes import Size
from core.texts import UserError, beside, joined, say
from dbtui.actions import binding
from dbtui.safe import safe, safe_message
from dbtui.widgets.picture import Picture as Shown
from dbtui.widgets.question import Answer, Question
from dbtui.widths import both_ends
from dbtui.wizard.rows import GOOD, MARKS, QUIET, Field, Line

if TYPE_CHECKING:
    from PIL.Image import Image

    from dbtui.app import DbtuiApp
    from dbtui.wizard.flow import Wizard

CAPTION = "caption"


class Words(Field):
    """The words of one picture; Enter keeps them, and the arrows stay."""

    BINDINGS = [
        Binding("enter", "keep", show=False, priority=True),
        Binding("up,down", "stay", show=False, priority=True),
    ]

    async def action_keep(self) -> None:
        screen = self.screen
        assert isinstance(screen, PicturesScreen)
        await screen.keep()

    def action_stay(self) -> None:
        """The arrows do not leave it."""


class PicturesScreen(ModalScreen[None]):
    """A list of the pictures, those that cannot be read last; beside it the one that is chosen."""

    BINDINGS = [
        binding("pictures.close", "escape", "close", "Close", "Back to the form, or out of the caption."),
        binding("pictures.edit", "e", "edit", "Caption", "Edits the words of the picture, in its .txt file."),
    ]

    def __init__(self, wizard: Wizard, number: int) -> None:
        super().__init__()
        self.wizard, self.context, self.number = wizard, wizard.context, number
        self.pictures: list[tuple[Picture, Size | None]] = []
        self.refused: tuple[Refused, ...] = ()
        self._edited: Picture | None = None
        """Whose words stand in the field, while it is open."""
        self._before = ""
        """What they were, with what the field shows as escapes."""
        self._may_make = False

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say(
            "pictures.help",
            "What lies in the dark is cut off at the training size. e edits the caption of a picture: a .txt file "
            "beside it, whose words stand for [filewords] in the Caption field.",
        )

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            title = say("pictures.title", "The pictures of subject {number}", number=self.number + 1)
            yield Static(Content(title).stylize("bold"), markup=False)
            with Horizontal(id="pictures"):
                yield OptionList(compact=True, markup=False, id="names")
                with Vertical():
                    yield Shown()
                    yield Static("", id="about", markup=False)
                    yield Words("", id=CAPTION, compact=True, select_on_focus=False)
            yield Static("", id="dialog-keys", markup=False)

    def on_mount(self) -> None:
        self.query_one(f"#{CAPTION}").display = False
        self.query_one("#names").focus()
        self.show()

    # --- what is shown ------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Draw what the context says now."""
        before = self.names
        self.pictures, self.refused = self.context.pictures(self.number), self.context.refused(self.number)
        listing = self.query_one("#names", OptionList)
        if self.names != before:
            place = listing.highlighted or 0
            name = before[place] if place < len(before) else ""
            listing.clear_options()
            listing.add_options([Option(line) for line in self._list()])
            kept = self.names.index(name) if name in self.names else min(place, len(self.names) - 1)
            listing.highlighted = kept if self.names else None
        self._about()

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        listing = self.query_one("#names", OptionList)
        for place, line in enumerate(self._list()):
            listing.replace_option_prompt_at_index(place, line)
        self._about()

    def _list(self) -> list[Content]:
        """A line for each name, as wide as there is room."""
        room = self._room
        return [Content.assemble(f" {self._short(name, place, room)}", *self._mark(place))
                for place, name in enumerate(self.names)]  # fmt: skip

    @property
    def _room(self) -> int:
        """Cells for a name and its mark; 0 as long as that is not known."""
        listing = self.query_one("#names", OptionList)
        return max(0, listing.content_size.width - listing.styles.scrollbar_size_vertical - 1)

    def _short(self, name: str, place: int, room: int) -> str:
        marks = sum(len(mark) for mark, _ in self._mark(place))
        return both_ends(safe(name), room - marks) if room else safe(name)

    @property
    def names(self) -> list[str]:
        """Of every file, those that cannot be read last."""
        return [*(picture.path.name for picture, _ in self.pictures), *(file.path.name for file in self.refused)]

    @property
    def chosen(self) -> tuple[Picture, Size | None] | None:
        place = self.query_one("#names", OptionList).highlighted
        return self.pictures[place] if place is not None and place < len(self.pictures) else None

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        edited = self._edited.path.name if self._edited is not None else ""
        if edited in self.names:
            self.query_one("#names", OptionList).highlighted = self.names.index(edited)  # a click moves it nowhere
        self._about()

    async def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.action_edit()

    def _mark(self, place: int) -> tuple[tuple[str, str], ...]:
        return ((f" {MARKS[Level.ERROR][0]}", MARKS[Level.ERROR][1]),) if place >= len(self.pictures) else ()

    def _about(self) -> None:
        keys = say("pictures.keys", "↑ ↓ choose · e edits the caption · Esc closes")
        if self.is_editing:
            keys = say("pictures.keys-editing", "Enter writes the caption · Esc leaves it as it was")
        self.query_one("#dialog-keys", Static).update(keys)
        place = self.query_one("#names", OptionList).highlighted
        about = self.query_one("#about", Static)
        if self.chosen is not None:
            picture, size = self.chosen
            said = [*map(Line.content, self._lines(picture, size)), self._caption(picture)]
            about.update(Content("\n").join([*self._whole_name(place), *said]))
            random = self.context.config.images.crop == "random"
            self.query_one(Shown).show((picture.path, size, random), partial(drawn, picture.path, size),
                                       safe(picture.path))  # fmt: skip
        elif place is not None and self.refused:
            reason = self.refused[place - len(self.pictures)].reason
            about.update(Content("\n").join([*self._whole_name(place), Line(*MARKS[Level.ERROR],
                                             safe_message(reason)).content()]))  # fmt: skip
            self.query_one(Shown).clear()

    def _whole_name(self, place: int | None) -> list[Content]:
        """That of the chosen one, where the list has no room for it."""
        if place is None:
            return []
        name = self.names[place]
        return [Content(safe(name))] if self._short(name, place, self._room) != safe(name) else []

    def _lines(self, picture: Picture, size: Size | None) -> list[Line]:
        """Size, what is cut off, what is wrong with it."""
        said = [f"{picture.width} × {picture.height} px"]
        cut: list[Line] = []
        if size is not None:
            said.append(say("pictures.at", "trains at {size}", size=size.words))
            cut.append(Line(*QUIET, cut_in_words(picture, size, self.context.config.images.crop)))
        lines = [Line(*GOOD, beside(said)), *cut]
        if size is not None and (picture.width < size.width or picture.height < size.height):
            lines.append(Line(*MARKS[Level.WARNING], say("pictures.enlarged", "smaller than that: it is enlarged")))
        found = self.context.facts.scan(self.number) if self.context.facts is not None else None
        near = [other.name for pair in (found.alike if found else ()) if picture.path in pair
                for other in pair if other != picture.path]  # fmt: skip
        if near:
            same = say("pictures.like", "nearly the same as {names}", names=safe(joined(near)))
            lines.append(Line(*MARKS[Level.WARNING], same))
        return lines

    def _caption(self, picture: Picture) -> Content:
        """What it is said to show, and where these words come from."""
        instance = self.context.config.concepts[self.number].instance
        facts = self.context.facts
        words = facts.words.get(picture.path, "") if facts is not None else ""
        if isinstance(words, UserError):
            return Line(*MARKS[Level.ERROR], safe_message(words.message)).content()
        field = self.query_one(f"#{CAPTION}", Field)
        if field.display:
            words = field.value
        given = {name: getattr(instance, name).strip() for name in ("identifier", "class_noun")}
        path = f"concepts.{self.number}.instance"
        missing = [find_option(f"{path}.{name}").title for name, value in given.items()
                   if not value and f"{{{name.removesuffix('_noun')}}}" in instance.prompt]  # fmt: skip
        text = with_words(instance.prompt, words, given["identifier"] or "{identifier}",
                          given["class_noun"] or "{class}")  # fmt: skip
        where, has_file = "", picture.caption_file is not None or field.display
        if FILEWORDS in instance.prompt:
            where = say("pictures.words-name", "[filewords] is its file name")
            if has_file:
                where = say("pictures.words-file", "[filewords] is its .txt: {words}", words=safe(words))
        elif has_file:
            where = say("pictures.words-unused", "its .txt is not used: the Caption field has no [filewords]")
        if missing:
            where = say("pictures.words-missing", "The caption lacks what is still to be typed: {titles}.",
                        titles=joined(missing))  # fmt: skip
        told = say("pictures.caption", "Caption: {text}", text=safe(text))
        return Content.assemble(told, (f"\n{where}" if where else "", "$foreground-muted"))

    # --- the caption --------------------------------------------------------------------------------------------------

    def action_edit(self) -> None:
        """Show the words of the picture in a field; those of its name where it has no file."""
        if self.chosen is None or self.is_editing:
            return
        self._edited = picture = self.chosen[0]
        facts = self.context.facts
        words = facts.words.get(picture.path, "") if facts is not None else ""
        self._before = "" if isinstance(words, UserError) else words
        field = self.query_one(f"#{CAPTION}", Field)
        field.value = self._before
        field.display = True
        self.query_one("#names").can_focus = False  # a click on a name leaves the field open, with the focus
        field.focus()
        field.action_end()
        self._about()

    @property
    def is_editing(self) -> bool:
        return self._edited is not None

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._about()

    def action_close(self) -> None:
        if self.is_editing:
            self._end_editing()
        else:
            self.dismiss(None)

    def _end_editing(self) -> None:
        self._edited = None
        self.query_one(f"#{CAPTION}").display = False
        names = self.query_one("#names")
        names.can_focus = True
        names.focus()
        self._about()

    async def keep(self) -> None:
        """Enter in the field: write the file, after a question where there was none."""
        picture = self._edited
        if picture is None:
            return
        text = as_meant(self.query_one(f"#{CAPTION}", Field).value, self._before)
        if picture.caption_file is not None and text == self._before:
            self._end_editing()
        elif picture.caption_file is None and not self._may_make:
            name = safe(picture.path.with_suffix(CAPTION_SUFFIX).name)
            question = Question(
                say("pictures.make", "Make {name}?", name=name),
                say("pictures.make.text", "The picture has no caption file yet. It is made beside the picture, in your "
                    "folder; nothing else there is changed."),
                [Answer("make", "m", say("pictures.make.yes", "Make it")),
                 Answer("no", "n", say("pictures.make.no", "Leave it"))],
            )  # fmt: skip
            self.app.push_screen(question, partial(self._asked, picture, text))
        else:
            await self._write(picture, text)

    async def _asked(self, picture: Picture, text: str, answer: str | None) -> None:
        if answer == "make":
            self._may_make = True
            await self._write(picture, text)

    async def _write(self, picture: Picture, text: str) -> None:
        try:
            path = await asyncio.to_thread(write_caption, picture.path, text)
        except UserError as error:
            cast("DbtuiApp", self.app).say(error)
            return
        if self._edited is not None and self._edited.path == picture.path:
            self._end_editing()
        self.app.notify(safe(path), title=say("pictures.written", "Caption written"), timeout=4, markup=False)
        self.wizard.look_again()


def as_meant(typed: str, before: str) -> str:
    """What was typed, with the invisible characters of the text `before` where the field shows their escapes."""
    hidden = {safe(character): character for character in before if safe(character) != character}
    for shown, character in hidden.items():
        if shown not in before:
            typed = typed.replace(shown, character)
    return typed


def cut_in_words(picture: Picture, size: Size, crop: str) -> str:
    """How much of it is cut off, and where."""
    from core.data.cropping import lost

    across, down = lost(picture.width, picture.height, size)
    if max(across, down) < 0.005:
        return say("pictures.whole", "nothing is cut off")
    if crop == "random":
        return say("pictures.cut.random", "{share:.0%} is cut off, somewhere else each time", share=max(across, down))
    if across:
        return say("pictures.cut.sides", "{share:.0%} is cut off left and right", share=across)
    return say("pictures.cut.ends", "{share:.0%} is cut off above and below", share=down)


def drawn(path: Path, size: Size | None, place: tuple[int, int]) -> Image:
    """The picture for a place of so many pixels, with its frame. Raises `UserError`."""
    from core.data.cropping import framed
    from core.data.pictures import open_rgb

    picture = open_rgb(path)
    picture.thumbnail(place)
    return framed(picture, size) if size is not None else picture
