"""What is done to the fields of a screen but by typing: put back, mended, browsed, found, kept as a preset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.widget import Widget

from core.config.findings import Finding, Fix
from core.config.table import find_option
from core.texts import headed, joined, say
from dbtui.safe import safe_message
from dbtui.wizard.context import PRESET, WizardContext, step_of
from dbtui.wizard.rows import Row
from dbtui.working import Working

if TYPE_CHECKING:
    from dbtui.wizard.flow import Wizard


class Editing(Working):
    """A screen with rows. Who draws it says how what has changed is shown."""

    step: ClassVar[str]

    def __init__(self, wizard: Wizard) -> None:
        super().__init__()
        self.wizard = wizard
        self.context: WizardContext = wizard.context
        self.is_ready = False

    def show(self) -> None:
        """Draw what the context says now."""
        raise NotImplementedError

    async def rebuild(self) -> None:
        """Compose anew, with the focus where it was."""
        raise NotImplementedError

    async def go_to_field(self, path: str) -> None:
        """Put the focus on the field, showing it first if it is hidden."""
        raise NotImplementedError

    @property
    def focused_row(self) -> Row | None:
        node = self.focused
        while node is not None and not isinstance(node, Row):
            node = node.parent if isinstance(node.parent, Widget) else None
        return node

    def action_put_back(self) -> None:
        row = self.focused_row
        if row is not None:
            self.context.put_back(row.path)
            self._write()

    async def action_save_preset(self) -> None:
        from dbtui.wizard.keeping import Keeping

        await Keeping(self).begin()

    def preset_saved(self) -> None:
        """The fields are those of a new preset, which is chosen: lists and marks follow."""
        self.wizard.changed()
        if any(row.path == PRESET for row in self.query(Row)):
            self.call_later(self.rebuild)  # its list has one more
        else:
            self.show()

    def action_find(self) -> None:
        from dbtui.wizard.finding import FindField

        self.app.push_screen(FindField(self.context, self.concept), self._found)

    async def _found(self, path: str | None) -> None:
        if path is not None:
            step = step_of(path)
            if step == self.step:
                await self.go_to_field(path)
            else:
                self.wizard.turn_to(step, path)

    @property
    def concept(self) -> int:
        """The number of the concept that has the focus, else of the first."""
        row = self.focused_row
        parts = row.path.split(".") if row is not None else []
        return int(parts[1]) if parts[:1] == ["concepts"] else 0

    def action_browse(self) -> None:
        from dbtui.wizard.browse import Browse, nearest_folder

        row = self.focused_row
        if row is not None:
            typed, title, files = self.context.text(row.path), row.option.title, row.option.kind == "path"
            self.ask(lambda: nearest_folder(typed), lambda start: self.app.push_screen(
                Browse(title, start, files=files), lambda chosen: self._browsed(row.path, chosen)))  # fmt: skip

    def _browsed(self, path: str, chosen: Path | None) -> None:
        if chosen is not None:
            self.context.visited.add(path)
            self.context.edit(path, str(chosen))
            self._write()

    def action_fix(self) -> None:
        """One way to mend it is taken at once; of several one is chosen. Where something is wrong with the focused
        field that only typing mends, that is told, and what can be mended elsewhere is offered below.
        """
        from dbtui.widgets.question import Answer, Question, key_of

        fixes, stuck = self._fixes(), self._only_typing_mends()
        if len(fixes) == 1 and not stuck:
            self.mend(fixes[0])
        elif fixes:
            changed = [joined(find_option(path).title for path in fix.changes) for fix in fixes]
            is_one = len(set(changed)) == 1 and not stuck
            labels = [safe_message(fix.label) for fix in fixes]
            told = labels if is_one else [headed(*each) for each in zip(changed, labels, strict=True)]
            answers = [Answer(str(number), key_of(number), label) for number, label in enumerate(told, 1)]
            which, text = say("wizard.which-way", "Which way?"), ""
            if stuck:
                which = say("wizard.stuck", "{field}: F2 cannot mend this", field=find_option(stuck[0].field).title)
                elsewhere = say("wizard.stuck.elsewhere", "What it can mend elsewhere on this screen:")
                text = "\n".join([*(safe_message(finding.message) for finding in stuck), "", elsewhere])
            elif not any(all(fix in finding.fixes for fix in fixes) for finding in self._findings()):
                which = say("wizard.which-first", "What shall be mended?")
            elif is_one:
                which = say("wizard.which-way.field", "{field}: which way?", field=changed[0])
            question = Question(which, text, answers)
            self.app.push_screen(question, lambda chosen: self.mend(fixes[int(chosen) - 1]) if chosen else None)

    def _fixes(self) -> list[Fix]:
        """Those of the focused field; where it has none, those of the whole screen."""
        mine = [fix for finding in self._here() for fix in finding.fixes]
        return mine or [fix for finding in self._findings() for fix in finding.fixes]

    def _only_typing_mends(self) -> list[Finding]:
        """What is wrong with the focused field, where no fix is offered for it."""
        here = self._here()
        return [] if any(finding.fixes for finding in here) else here

    def _here(self) -> list[Finding]:
        row = self.focused_row
        return [finding for finding in self._findings() if row is not None and finding.field == row.path]

    def _findings(self) -> list[Finding]:
        shown = [finding for finding in self.context.findings_of(self.step) if self.context.shown(finding)]
        return self.context.taken_name(self.step) + shown

    def mend(self, fix: Fix) -> None:
        self.context.mend(fix)
        fields = joined(find_option(path).title for path in fix.changes)
        title = say("wizard.mended", "Mended: {fields}", fields=fields)
        self.app.notify(safe_message(fix.label), title=title, timeout=3, markup=False)
        self._write()

    def _write(self) -> None:
        """The context has changed without typing: the fields follow."""
        for row in self.query(Row):
            row.write(self.context.text(row.path))
        self.wizard.changed()
        self.show()
