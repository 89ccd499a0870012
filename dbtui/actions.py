"""One table of what can be done where: its keys, its line in the footer, its entry in the palette, its help.

A screen takes its bindings from here (`BINDINGS = bindings("home")`) and has a method `action_<id>` for each row. The
command palette lists what is possible now, because it asks the screen's `check_action`, as the footer does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from rich.cells import cell_len
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import ActiveBinding

from core.texts import in_force, language, say

if TYPE_CHECKING:
    from textual.app import App

Place = Literal["everywhere", "home", "wizard", "model", "concepts", "parameters", "review", "monitor",
                "gallery", "large", "compare", "beside", "using"]  # fmt: skip


@dataclass(frozen=True)
class Action:
    """`keys` as Textual spells them, the first is the one that is shown. `shown` puts it into the footer."""

    id: str
    place: Place
    keys: str
    title: str
    help: str
    shown: bool = True
    priority: bool = False


ACTIONS: tuple[Action, ...] = (
    Action("help", "everywhere", "f1", "Help", "Explains what is focused and lists the keys.", True, True),
    Action("language", "everywhere", "ctrl+l", "Language",
           "Speaks another language (语言): English, 简体中文.", False),
    Action("looks", "everywhere", "ctrl+t", "Looks",
           "Dark, light, or the colours of the terminal; remembered for the next time.", False, True),
    Action("graphics", "everywhere", "ctrl+g", "Graphics",
           "How pictures are drawn in this terminal: half cells, kitty's graphics, sixel, or not at all.", False, True),
    Action("command_palette", "everywhere", "ctrl+p", "Menu", "Everything that is possible now, to search in.", False,
           True),
    Action("leave", "everywhere", "ctrl+c,ctrl+q", "Leave", "Leaves the program. It asks first.", False, True),
    Action("new", "home", "n", "New", "Teach a model something new, in four short screens."),
    Action("demo", "home", "t", "Try the demo",
           "A small model that comes with the program learns a new dog before your eyes, in about a minute."),
    Action("open", "home", "enter", "Open", "Opens the monitor of a run, or goes on with a draft."),
    Action("resume", "home", "r", "Resume", "Trains on from the last saved state: here, in the background, or when "
           "its turn comes."),
    Action("longer", "home", "l", "Longer", "Trains a finished run for some epochs more."),
    Action("export", "home", "e", "Export", "Writes the trained model as a file for other programs."),
    Action("gallery", "home", "g", "Gallery", "Shows the previews of a run side by side, from step to step."),
    Action("use", "home", "u", "Use it", "How to fetch the exported model and use it in other programs."),
    Action("duplicate", "home", "a", "As new", "Opens the four screens with what this run was made of, under a new "
           "name."),
    Action("queue", "home", "w", "Queue", "Runs that wait their turn: lets one wait, starts or ends the queue."),
    Action("rename", "home", "m", "Rename", "Gives the run another name.", False),
    Action("delete", "home", "d,delete", "Delete", "Deletes a run or a draft. It asks first and says what is lost."),
    Action("leave_run", "home", "q", "Leave", "Leaves the program. It asks first."),
    Action("fix", "wizard", "f2", "Fix", "Mends what is wrong with this field, or lists every fix on this screen."),
    Action("back", "wizard", "f3", "Back", "One screen back, or to your runs. What you typed is kept."),
    Action("escape", "wizard", "escape", "Close", "Closes what lies over the form, and leaves no screen.", False),
    Action("next", "wizard", "f4,ctrl+n", "Next", "To the next screen; where something is wrong, to that field."),
    Action("more", "model", "f5", "More", "Shows or hides the options that are rarely needed."),
    Action("more", "concepts", "f5", "More", "Shows or hides the options that are rarely needed."),
    Action("more", "parameters", "f5", "More", "Shows or hides the options that are rarely needed."),
    Action("put_back", "wizard", "f6", "Undo", "Puts the field back to what the preset, or the program, chooses."),
    Action("save_preset", "wizard", "ctrl+s", "Save as preset",
           "Saves the present values as a preset of your own, to choose for another subject.", False, True),
    Action("find", "wizard", "ctrl+f", "Find", "Finds a field on any screen by a part of its name.", False, True),
    Action("browse", "wizard", "f7", "Browse", "Chooses the folder or the file from a list."),
    Action("pictures", "concepts", "ctrl+o", "Pictures",
           "Your pictures one by one: what is cut off, what each is said to show, and its caption to edit.", False,
           True),
    Action("add_concept", "concepts", "f8", "Add", "Adds another subject to teach in the same run."),
    Action("copy_concept", "concepts", "ctrl+d", "Copy",
           "Adds another subject with the same texts, but for its pictures and its word.", False, True),
    Action("remove_concept", "concepts", "f9", "Remove", "Takes the focused subject out of the run, and asks before."),
    Action("start", "review", "s", "Start here", "Trains in this program and opens the monitor."),
    Action("start_background", "review", "b", "In background",
           "Trains in a process of its own: you can close everything and come back with `dbtui attach`."),
    Action("enqueue", "review", "w", "Queue",
           "Lets the run wait its turn: what waits is trained one after the other, over night for example."),
    Action("choose_cards", "review", "c", "Cards", "Chooses the graphics card, or how many of them, it trains on."),
    Action("app.home", "monitor", "h", "Runs", "Back to the list of runs, as Esc does. What trains goes on."),
    Action("pause", "monitor", "p", "Pause", "Pauses after the step that runs. The card rests, memory stays in use."),
    Action("continue", "monitor", "p", "Continue", "Goes on where it was paused."),
    Action("sample", "monitor", "s", "Sample", "Makes preview pictures now."),
    Action("checkpoint", "monitor", "c", "Save", "Saves a state now from which training can go on."),
    Action("stop", "monitor", "x", "Stop",
           "Ends the training before its last step. It asks first: save, discard or go on."),
    Action("background", "monitor", "d", "Background",
           "Hands the training to a process of its own, so that this program can be closed."),
    Action("resume", "monitor", "r", "Resume", "Trains on from the last saved state."),
    Action("longer", "monitor", "l", "Longer", "Trains a finished run for some epochs more."),
    Action("export", "monitor", "e", "Export", "Writes the trained model as a file for other programs."),
    Action("mend", "monitor", "f2", "What to try",
           "Says why it failed and what may help; each thing to try is one more key."),
    Action("use", "monitor", "u", "Use it", "How to fetch the exported model and use it in other programs."),
    Action("gallery", "monitor", "g", "Gallery", "Shows all previews side by side, from step to step."),
    Action("overlay", "monitor", "o", "Compare with",
           "Draws the loss of another run behind this one's; once more takes it away.", False),
    Action("maximise('loss')", "monitor", "1", "Loss",
           "Shows only the loss; once more, where there is room, everything.", False),
    Action("maximise('rate')", "monitor", "2", "Rate",
           "Shows only the learning rate; once more, where there is room, everything.", False),
    Action("maximise('samples')", "monitor", "3", "Previews",
           "Shows only the previews; once more, where there is room, everything.", False),
    Action("maximise('machine')", "monitor", "4", "Machine",
           "Shows only the machine; once more, where there is room, everything.", False),
    Action("maximise('log')", "monitor", "5", "Log",
           "Shows only the log; once more, where there is room, everything.", False),
    Action("turn(-1)", "monitor", "left,[,left_square_bracket", "Earlier preview",
           "The preview before this one.", False),
    Action("turn(1)", "monitor", "right,],right_square_bracket", "Later preview", "The preview after this one.", False),
    Action("enlarge", "monitor", "enter", "Preview in full",
           "Shows the preview large, with prompt, seed and step.", False),
    Action("copy_path", "monitor", "y", "Copy path", "Copies the path of the preview.", False),
    Action("zoom(1)", "monitor", "+", "Zoom in", "Shows a shorter stretch of the curves.", False),
    Action("zoom(-1)", "monitor", "-", "Zoom out", "Shows a longer stretch of the curves.", False),
    Action("zoom(0)", "monitor", "0", "Whole curve", "Shows the curves from the first step to the last.", False),
    Action("leave_run", "monitor", "q", "Leave",
           "Leaves the program. It asks first while it trains here; what trains in the background goes on."),
    Action("move(0, -1)", "gallery", "left", "Earlier", "The preview before this one.", False),
    Action("move(0, 1)", "gallery", "right", "Later", "The preview after this one.", False),
    Action("move(-1, 0)", "gallery", "up", "Prompt above", "The same step of the prompt above.", False),
    Action("move(1, 0)", "gallery", "down", "Next prompt", "The same step of the prompt below.", False),
    Action("page(-1)", "gallery", "pageup", "Page back", "As many steps back as are seen at once.", False),
    Action("page(1)", "gallery", "pagedown", "Page on", "As many steps on as are seen at once.", False),
    Action("move(0, -999999)", "gallery", "home", "First step", "The first preview of this prompt.", False),
    Action("move(0, 999999)", "gallery", "end", "Last step", "The newest preview of this prompt.", False),
    Action("open", "gallery", "enter", "In full", "Shows the preview as large as the terminal."),
    Action("choose", "gallery", "space", "Choose", "Chooses a preview to compare; again takes it back."),
    Action("compare", "gallery", "c", "Compare",
           "The two chosen previews side by side; without a choice, this one and the one before it."),
    Action("overlay", "gallery", "o", "Compare with",
           "What another run drew at the same step, beside this run's preview."),
    Action("best", "gallery", "m", "Mark best", "Marks this step as the best: exports offer it, its state is kept."),
    Action("export", "gallery", "e", "Export", "Writes the model of this step as a file for other programs."),
    Action("use", "gallery", "u", "Use it", "How to fetch the exported model and use it in other programs."),
    Action("copy_path", "gallery", "y", "Copy path", "Copies the path of the preview.", False),
    Action("close", "gallery", "escape,g", "Back", "Back to where you came from."),
    Action("go(0, -1)", "large", "left", "Earlier", "The preview before this one."),
    Action("go(0, 1)", "large", "right", "Later", "The preview after this one."),
    Action("go(-1, 0)", "large", "up", "Prompt above", "The same step of the prompt above."),
    Action("go(1, 0)", "large", "down", "Next prompt", "The same step of the prompt below."),
    Action("best", "large", "m", "Mark best", "Marks this step as the best."),
    Action("export", "large", "e", "Export", "Writes the model of this step as a file for other programs."),
    Action("copy_path", "large", "y", "Copy path", "Copies the path of the preview."),
    Action("close", "large", "escape,enter,q", "Close", "Back to the gallery."),
    Action("go(0, -1)", "compare", "left", "Earlier", "On the right the preview before it."),
    Action("go(0, 1)", "compare", "right", "Later", "On the right the preview after it."),
    Action("go(-1, 0)", "compare", "up", "Prompt above", "On the right the prompt above."),
    Action("go(1, 0)", "compare", "down", "Next prompt", "On the right the prompt below."),
    Action("swap", "compare", "x", "Swap", "Changes left and right."),
    Action("close", "compare", "escape,enter,c,q", "Close", "Back to the gallery."),
    Action("go(0, -1)", "beside", "left", "Earlier", "Both runs one preview back."),
    Action("go(0, 1)", "beside", "right", "Later", "Both runs one preview on."),
    Action("go(-1, 0)", "beside", "up", "Prompt above", "The prompt above, of both runs."),
    Action("go(1, 0)", "beside", "down", "Next prompt", "The prompt below, of both runs."),
    Action("close", "beside", "escape,enter,o,q", "Close", "Back to the gallery."),
    Action("copy", "using", "y", "Copy", "Copies the line that fetches the file, or its path."),
    Action("turn(-1)", "using", "left", "Newer", "The export that was written after this one."),
    Action("turn(1)", "using", "right", "Older", "The export that was written before this one."),
    Action("export", "using", "e", "Export", "Writes the trained model as a file for other programs."),
    Action("close", "using", "escape,enter,u,q", "Close", "Back to where you came from."),
)  # fmt: skip


def actions(*places: Place) -> tuple[Action, ...]:
    """The rows of `places`, in the order of the table."""
    return tuple(action for action in ACTIONS if action.place in places)


def bindings(*places: Place) -> list[Binding]:
    """The same as Textual bindings. The first key stands in the footer; the palette shows the help."""
    found: list[Binding] = []
    for action in actions(*places):
        for number, key in enumerate(action.keys.split(",")):
            found.append(binding(f"{action.place}.{action.id}", key, action.id, action.title, action.help,
                                 show=action.shown and number == 0, priority=action.priority))  # fmt: skip
    return found


def binding(code: str, keys: str, action: str, title: str, help: str = "", **more: Any) -> Binding:  # noqa: A002
    """One binding whose words follow the language: title and help have the codes `action.<code>.title` and `.help`."""
    _english[code] = (title, help)
    title, help = _words(code)  # noqa: A001
    return Binding(keys, action, title, tooltip=help, id=code, **more)


def as_fits(
    app: App[Any], active: dict[str, ActiveBinding], optional: Sequence[str], width: int
) -> dict[str, ActiveBinding]:
    """`active` with as many of the `optional` actions in a footer of `width` cells as there is room for, the first
    before the others. What is shown anyway has its room before all of them.
    """

    def cells(binding: Binding) -> int:
        return cell_len(f"{app.get_key_display(binding)} {binding.description}") + 1

    menu = active.get("ctrl+p")
    room = width - (cells(menu.binding) + 1 if menu is not None else 0)
    shown = [one.binding for one in active.values() if one.binding.show]
    room -= sum(cells(one) for one in shown if one.action not in optional)
    kept: dict[str, bool] = {}
    for action in optional:
        needs = sum(cells(one) for one in shown if one.action == action)
        kept[action] = needs <= room
        room -= needs if kept[action] else 0
    return shown_as(active, {one.action: False for one in shown if not kept.get(one.action, True)})


def shown_as(active: dict[str, ActiveBinding], shown: Mapping[str, bool]) -> dict[str, ActiveBinding]:
    """`active` with these actions in the footer, or not in it: for a screen that has room for them only at times."""
    return {
        key: one._replace(binding=replace(one.binding, show=shown[one.binding.action]))
        if one.binding.action in shown else one
        for key, one in active.items()
    }  # fmt: skip


def said_as(active: dict[str, ActiveBinding], said: Mapping[str, tuple[str, str]]) -> dict[str, ActiveBinding]:
    """`active` where these actions have another title and, unless that is empty, another help."""

    def other(one: ActiveBinding) -> ActiveBinding:
        title, help = said[one.binding.action]  # noqa: A001
        help = help or one.binding.tooltip  # noqa: A001
        return one._replace(binding=replace(one.binding, description=title, tooltip=help), tooltip=help)

    return {key: other(one) if one.binding.action in said else one for key, one in active.items()}


def trains_anew() -> tuple[str, str]:
    """Title and help of the key that trains a run on, where nothing of it was saved."""
    return say("action.anew", "Start again"), say("action.anew.help", "Nothing of it was saved: trains it from step 0.")


def trains_first() -> tuple[str, str]:
    """The same where it was never trained."""
    return say("home.start", "Start"), say(
        "home.start.help", "Trains it: here, in the background, or when its turn comes."
    )


_english: dict[str, tuple[str, str]] = {}
"""The code of each binding that was made → its title and help."""
_labelled = language()
"""The language of the bindings that the classes hold."""


def relabel() -> None:
    """Say the bindings of every class in the language in force, in the footer, the palette and the help.

    Textual copies what a class binds when the class is made, and hands the same lists to all that are made of it.
    """
    global _labelled
    if _labelled == language():
        return
    _labelled = language()
    for kind in _kinds(DOMNode):
        held: list[Sequence[Any]] = [kind.__dict__.get("BINDINGS", ())]
        merged = kind.__dict__.get("_merged_bindings")
        held += merged.key_to_bindings.values() if merged is not None else ()
        for bound in held:
            if isinstance(bound, list):
                bound[:] = [_relabelled(one) if isinstance(one, Binding) else one for one in bound]


def _kinds(kind: type[DOMNode]) -> Iterator[type[DOMNode]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


def _relabelled(bound: Binding) -> Binding:
    if bound.id not in _english:
        return bound
    title, help = _words(bound.id)  # noqa: A001
    return replace(bound, description=title, tooltip=help)


def _words(code: str) -> tuple[str, str]:
    title, help = _english[code]  # noqa: A001
    return in_force(f"action.{code}.title", title), in_force(f"action.{code}.help", help)
