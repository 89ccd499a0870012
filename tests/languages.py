"""Every text that the program can say, and what a language has of them.

`python -m tests.languages` counts; `missing` prints what a language lacks as lines for its file, `sort` puts its lines
in order, `left` prints the codes that nothing says any more, `stale` the texts whose English is another than when they
were translated (`seen` after looking at them), `unreadable` the places whose text cannot be found by reading.
"""

from __future__ import annotations

import ast
import hashlib
import re
import string
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.languages import LANGUAGES, texts_of
from core.planning.remedies import SAVES
from core.texts import ENGLISH

ROOT = Path(__file__).parents[1]
SEEN = Path(__file__).with_name("languages_seen.txt")
"""One line a text: its key and a hash of the English that its translations were made from."""
UNSAID = ("core/demo/recipe",)
"""Left out of the wheel: nobody reads it."""


CODE = re.compile(r"[a-z][a-z0-9-]*\.[\w.*-]+")
SEEN_ELSEWHERE = {
    ("core/data/captions.py", "f'{kind}.not-a-file'"),
    ("core/data/captions.py", "f'{kind}.unreadable'"),
    ("core/data/captions.py", "f'{kind}.too-long'"),
    ("core/planning/checks/pictures.py", "code"),
    ("core/planning/checks/resources.py", "code"),
    ("core/planning/remedies.py", "self.code"),
    ("core/texts.py", "f'count.{singular}'"),
    ("core/runs/trackers/weights_and_biases.py", "SIGNED_OUT.code"),
}
"""Places whose codes and texts are found where they come from, or by `_tables`."""


@dataclass
class Catalogue:
    """Code → its English texts, where each is said, and the places that cannot be read."""

    texts: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    unreadable: list[str] = field(default_factory=list)

    def add(self, code: str, english: str, place: str) -> None:
        if english:
            self.texts[code].setdefault(english, place)

    def lines(self) -> dict[str, tuple[str, str]]:
        """Key in a language's file → English text, place."""
        keys = {}
        for code, said in self.texts.items():
            for english, place in said.items():
                keys[code if len(said) == 1 else f"{code}|{english}"] = (english, place)
        return keys


def catalogue() -> Catalogue:
    """All that the source says."""
    found = Catalogue()
    for room in ("core", "dbtui"):
        for path in sorted((ROOT / room).rglob("*.py")):
            where = path.relative_to(ROOT).as_posix()
            if not where.startswith(UNSAID):
                _Reader(found, where).visit(ast.parse(path.read_text(encoding="utf-8")))
    for code, english in _tables():
        found.add(code, english, "a table")
    return found


def _tables() -> Iterator[tuple[str, str]]:
    from core.choices.adapters import METHODS
    from core.choices.attention import ATTENTIONS
    from core.choices.formats import EXPORT_FORMATS
    from core.choices.optimizers import OPTIMIZERS
    from core.choices.schedulers import SCHEDULERS
    from core.config.options import Concept, RunConfig
    from core.config.presets import built_in_directory
    from core.config.table import english_table
    from core.data.pictures import FOREIGN_BEGINNINGS
    from dbtui.actions import ACTIONS
    from dbtui.cli import app
    from dbtui.cli_words import help_texts
    from dbtui.states import STATES

    for action in ACTIONS:
        yield f"action.{action.place}.{action.id}.title", action.title
        yield f"action.{action.place}.{action.id}.help", action.help
    for option in english_table():
        yield f"option.{option.path}.title", option.title
        yield f"option.{option.path}.help", option.help
        yield f"option.{option.path}.expects", option.expects
        if option.unit:
            yield f"unit.{option.unit}", option.unit
    for prefix, model in (("", RunConfig), ("concepts.", Concept)):
        for name, info in model.model_fields.items():
            if info.title and _is_section(info):
                yield f"section.{prefix}{name}.title", info.title
                yield f"section.{prefix}{name}.help", info.description or ""
    for registry in (METHODS, ATTENTIONS, EXPORT_FORMATS, OPTIMIZERS, SCHEDULERS):
        for entry in registry.values():
            yield f"{entry.registry}.{entry.id}.title", entry.english
            yield f"{entry.registry}.{entry.id}.help", entry.english_help
    for path in sorted(built_in_directory().glob("*.toml")):
        preset = tomllib.loads(path.read_text(encoding="utf-8"))
        yield f"preset.{path.stem}.title", preset["title"].strip()
        yield f"preset.{path.stem}.help", preset["help"].strip()
    for state, (_, words, _) in STATES.english.items():
        yield f"state.{state}", words
    for _, _, name in FOREIGN_BEGINNINGS:
        yield f"foreign.{name}", name
    for kind in ("caption", "template"):
        yield f"{kind}.not-a-file", "{title} {path} is not a regular file."
        yield f"{kind}.not-a-file.mend", "Check the path, or leave it out."
        yield f"{kind}.unreadable", "{title} {path} cannot be read: {reason}."
        yield f"{kind}.unreadable.mend", "Check its permissions."
        yield f"{kind}.too-long", "{title} {path} is longer than {most}."
        yield f"{kind}.too-long.mend", "Shorten it."
    import typer.main

    for _, _, code, english in help_texts(typer.main.get_command(app)):
        yield code, english


def _is_section(info: object) -> bool:
    return getattr(info, "default_factory", None) is not None


class _Reader(ast.NodeVisitor):
    """Finds the calls that say something: a code and an English text beside each other."""

    def __init__(self, found: Catalogue, where: str) -> None:
        self.found, self.where = found, where
        self.constants: dict[str, ast.expr] = {}
        self.parameters: list[set[str]] = []

    def visit_Module(self, node: ast.Module) -> None:
        for statement in node.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                self.constants[statement.targets[0].id] = statement.value
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        arguments, before = node.args, self.constants
        self.parameters.append({one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)})
        self.constants = dict(before)
        for inside in ast.walk(node):
            if isinstance(inside, ast.Assign) and isinstance(inside.targets[0], ast.Name):
                self.constants[inside.targets[0].id] = inside.value
        self.generic_visit(node)
        self.parameters.pop()
        self.constants = before

    def visit_Tuple(self, node: ast.Tuple) -> None:
        """`return "class.inside", "The class folder …"`, and rows of a table that begin so."""
        self.generic_visit(node)
        texts = [self._one(one) if isinstance(one, (ast.Constant, ast.BinOp)) else None for one in node.elts[:2]]
        if len(texts) == 2 and texts[0] and texts[1] and CODE.fullmatch(texts[0]) and " " in texts[1]:
            suffix = SAVES if len(node.elts) > 2 and texts[0].startswith("fix.") else ""
            self.found.add(texts[0], texts[1] + suffix, f"{self.where}:{node.lineno}")

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        place = f"{self.where}:{node.lineno}"
        if name == "Texts":
            self._table(node, place)
        elif name == "counted":
            self._counted(node, place)
        elif name == "binding" and len(node.args) >= 4:
            code = self._one(node.args[0])
            if code is not None:
                for part, argument in zip(("title", "help"), node.args[3:5], strict=False):
                    self.found.add(f"action.{code}.{part}", self._one(argument) or "", place)
        elif len(node.args) >= 2:
            self._said(node, name, place)

    def _said(self, node: ast.Call, name: str, place: str) -> None:
        """`say`, `message`, `UserError`, and any helper that is given a code and a text as they are."""
        codes = list(self._all(node.args[0]))
        is_ours = name in ("say", "message", "UserError", "in_force") and not self._is_method(node)
        if not is_ours and not (codes and all(code and CODE.fullmatch(code) for code in codes)):
            return
        english = list(self._all(node.args[1]))
        if not is_ours and not all(text and " " in text for text in english):
            return
        if any(map(self._is_passed_on, node.args[:2])) or (self.where, ast.unparse(node.args[0])) in SEEN_ELSEWHERE:
            return
        if None in codes or None in english or not codes or not english:
            if name != "in_force":
                self.found.unreadable.append(f"{place}: {ast.unparse(node)[:100]}")
            return
        mends = (keyword.value for keyword in node.keywords if keyword.arg == "mend")
        advice = [text for mend in mends for text in self._mends(mend, place)]
        for code in codes:
            for text in english:
                self.found.add(str(code), str(text), place)
            for text in advice:
                self.found.add(f"{code}.mend", text, place)

    def _mends(self, node: ast.expr, place: str) -> Iterator[str]:
        if self._is_passed_on(node):
            return
        for text in self._all(node):
            if text is None:
                self.found.unreadable.append(f"{place}: mend={ast.unparse(node)[:100]}")
            else:
                yield text

    @staticmethod
    def _is_method(node: ast.Call) -> bool:
        """`app.say(error)` and the like."""
        return isinstance(node.func, ast.Attribute)

    def _is_passed_on(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and any(node.id in names for names in self.parameters)

    def _one(self, node: ast.expr) -> str | None:
        found = list(self._all(node))
        return found[0] if len(found) == 1 else None

    def _all(self, node: ast.expr) -> Iterator[str | None]:
        """The texts that an expression can be; `None` for what only running it would tell."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Name) and node.id in self.constants:
            value = self.constants.pop(node.id)  # a name that is made of itself ends here
            yield from self._all(value)
            self.constants[node.id] = value
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            table = self.constants.get(node.value.id)
            for value in table.values if isinstance(table, ast.Dict) else ():
                yield from self._all(value)
        elif isinstance(node, ast.JoinedStr):
            parts: list[str | None] = [""]
            for piece in node.values:
                more = list(self._all(piece.value if isinstance(piece, ast.FormattedValue) else piece))
                parts = [None if one is None or other is None else one + other for one in parts for other in more]
            yield from parts
        elif isinstance(node, ast.IfExp):
            yield from self._all(node.body)
            yield from self._all(node.orelse)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            for left in self._all(node.left):
                for right in self._all(node.right):
                    yield None if left is None or right is None else left + right
        else:
            yield None

    def _table(self, node: ast.Call, place: str) -> None:
        prefix, table = self._one(node.args[0]), node.args[1]
        if prefix is None or not isinstance(table, ast.Dict):
            self.found.unreadable.append(f"{place}: Texts")
            return
        for key, value in zip(table.keys, table.values, strict=True):
            if key is not None:
                self.found.add(f"{prefix}.{self._one(key)}", self._one(value) or "", place)

    def _counted(self, node: ast.Call, place: str) -> None:
        for singular in self._all(node.args[1]):
            if singular is None:
                if not self._is_passed_on(node.args[1]):
                    self.found.unreadable.append(f"{place}: {ast.unparse(node)[:100]}")
                continue
            code = f"count.{singular}"
            self.found.texts[code] = {f"{{number}} {singular}": place}  # singular and plural have one line


def texts_in(language: str) -> dict[str, str]:
    """The lines of a language's file."""
    path = texts_of(language)
    assert path is not None
    return tomllib.loads(path.read_text(encoding="utf-8"))


def hashes(found: Catalogue) -> dict[str, str]:
    """Key → hash of its English text."""
    return {key: hashlib.sha256(english.encode()).hexdigest()[:8] for key, (english, _) in found.lines().items()}


def stale(found: Catalogue) -> list[str]:
    """Keys whose English has changed since somebody looked at their translations."""
    seen = dict(line.split("\t") for line in SEEN.read_text(encoding="utf-8").splitlines())
    return [key for key, now in hashes(found).items() if key in seen and seen[key] != now]


def placeholders(template: str) -> set[str]:
    """`{name:.1f}` → `name:.1f`. Texts that are not filled may have braces that are no placeholders."""
    try:
        return {f"{name}:{form}" if form else name for _, name, form, _ in string.Formatter().parse(template) if name}
    except ValueError:
        return set(re.findall(r"\{([^{}]*)\}", template))


def main(arguments: list[str]) -> int:
    asked = arguments[0] if arguments else "count"
    found = catalogue()
    keys = found.lines()
    for language in LANGUAGES:
        if language == ENGLISH:
            continue
        there = texts_in(language) if texts_of(language).is_file() else {}  # type: ignore[union-attr]
        missing = {key: said for key, said in keys.items() if key not in there}
        left = [key for key in there if key not in keys]
        if asked == "missing":
            for key, (english, place) in sorted(missing.items(), key=lambda one: (one[1][1], one[0])):
                print(f"# {place}\n{_quoted(key)} = {_quoted(english)}")
        elif asked == "sort":
            path = texts_of(language)
            assert path is not None
            path.write_text(in_order(path.read_text(encoding="utf-8")), encoding="utf-8")
        elif asked == "left":
            print("\n".join(left))
        else:
            print(f"{language}: {len(keys)} texts, {len(missing)} missing, {len(left)} that nothing says")
    if asked == "stale":
        print("\n".join(f"{key}: {keys[key][0]!r}" for key in stale(found)))
    if asked == "seen":
        lines = sorted(f"{key}\t{one}\n" for key, one in hashes(found).items())
        SEEN.write_text("".join(lines), encoding="utf-8")
    if asked == "unreadable":
        print("\n".join(found.unreadable))
    return 0


def in_order(text: str) -> str:
    """A language's file in alphabetical order of its keys, with a gap where their first word changes."""
    lines = text.splitlines()
    head = [line for line in lines if line.startswith("#")]
    keyed = sorted((next(iter(tomllib.loads(line))), line) for line in lines if line and not line.startswith("#"))
    found: list[str] = []
    for number, (key, line) in enumerate(keyed):
        if not number or re.split(r"[.|]", keyed[number - 1][0])[0] != re.split(r"[.|]", key)[0]:
            found.append("")
        found.append(line)
    return "\n".join([*head, *found]) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
