"""What is put into a text is said in the language in force too: no sentence stands in a value."""

from __future__ import annotations

import ast
import errno
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from core.config import presets, runfile
from core.data.pictures import open_rgb
from core.families.describe import describe
from core.files import explain, staged_directory, verify_directory
from core.languages import texts_of
from core.reasons import of_system
from core.texts import UserError, beside, joined, use_language
from core.training.checkpoints import SaveFailed
from core.training.faults import sample_skipped
from tests.languages import UNSAID, texts_in
from tests.test_languages import ENGLISH_PROSE, OTHERS, QUOTED

ROOT = Path(__file__).parents[1]
SAYERS = {"say", "message", "UserError", "warning"}
WORDS = re.compile(r"[a-z]{2,} [a-z]{2,}")
NO_SENTENCES = {"mend", "verb", "field"}
"""`mend` is a text itself; a verb is what only English needs."""


def _literals(node: ast.expr) -> Iterator[str]:
    """The texts that stand in an expression, but for those that are said."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(piece.value) if isinstance(piece, ast.Constant) else "…" for piece in node.values)
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)
    elif isinstance(node, ast.BinOp):
        yield from _literals(node.left)
        yield from _literals(node.right)
    elif isinstance(node, ast.BoolOp):
        for one in node.values:
            yield from _literals(one)


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _said_of(function: ast.FunctionDef) -> Iterator[tuple[int, str]]:
    """Place and name of each parameter that the function puts into a text as it is."""
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    said = {
        keyword.value.id
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and (_name(call) in SAYERS or ast.unparse(call.func) == "super().__init__")
        for keyword in call.keywords
        if isinstance(keyword.value, ast.Name) and keyword.arg not in NO_SENTENCES
    }
    first = 1 if names[:1] == ["self"] else 0
    yield from ((number - first, name) for number, name in enumerate(names) if name in said)


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for room in ("core", "dbtui"):
        for path in sorted((ROOT / room).rglob("*.py")):
            where = path.relative_to(ROOT).as_posix()
            if not where.startswith(UNSAID):
                yield where, ast.parse(path.read_text(encoding="utf-8"))


def _fragments(trees: list[tuple[str, ast.Module]]) -> Iterator[str]:
    passed_on: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for where, tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                for one in node.body:
                    if isinstance(one, ast.FunctionDef) and one.name == "__init__":
                        passed_on[where, node.name] = list(_said_of(one))
            elif isinstance(node, ast.FunctionDef):
                passed_on[where, node.name] = list(_said_of(node))
    anywhere = {name: places for (_, name), places in passed_on.items() if places and not name.startswith("_")}
    for where, tree in trees:
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = _name(call)
            values = [] if name not in SAYERS else [one.value for one in call.keywords if one.arg not in NO_SENTENCES]
            for place, parameter in passed_on.get((where, name), anywhere.get(name, [])):
                values += call.args[place : place + 1]
                values += [one.value for one in call.keywords if one.arg == parameter]
            for value in values:
                yield from (f"{where}:{call.lineno}: {text!r}" for text in _literals(value) if WORDS.search(text))


def test_no_sentence_stands_in_a_value() -> None:
    found = list(_fragments(list(_sources())))
    assert not found, "\n".join(["these are not said in other languages; hand over `say(code, text)`:", *found])


@pytest.mark.parametrize(
    "source",
    [
        'message("a.b", "It fails: {reason}.", reason="there is no file")',
        'def _damaged(path, reason):\n    return UserError("a.b", "{reason}", reason=reason)\n'
        'raise _damaged(path, f"it has only {size} bytes")',
        'class Bad(UserError):\n    def __init__(self, reason):\n        super().__init__("a.b", "{r}", r=reason)\n'
        'raise Bad("has other content than was written")',
    ],
)
def test_such_a_value_is_found(source: str) -> None:
    assert len(list(_fragments([("somewhere.py", ast.parse(source))]))) == 1


@pytest.fixture
def _in_chinese() -> Iterator[None]:
    use_language(texts_of("zh"))
    yield
    use_language(None)


def _written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _broken_preset(content: bytes) -> Callable[[Path], object]:
    def load(folder: Path) -> object:
        return presets.load_preset(_written(folder / "mine.toml", content), is_own=True)

    return load


def _cut_picture(folder: Path) -> object:
    Image.effect_noise((64, 64), 50).save(folder / "whole.png")
    return open_rgb(_written(folder / "cut.png", (folder / "whole.png").read_bytes()[:900]))


def _damaged_folder(folder: Path) -> object:
    with staged_directory(folder / "whole", {}) as staging:
        (staging / "file").write_text("content")
    (folder / "whole" / "file").write_text("CONTENT")
    return verify_directory(folder / "whole")


@pytest.mark.usefixtures("_in_chinese")
@pytest.mark.parametrize(
    "failing",
    [
        lambda folder: describe(str(folder / "nowhere" / "at all")),
        lambda folder: describe("~nobody-of-this-name/model"),
        lambda folder: describe("x" * 300),
        lambda folder: describe(str(_written(folder / "README.md", b"# A model\n" * 9))),
        lambda folder: describe(str(_written(folder / "a.safetensors", b"\2" + bytes(7) + b"{]"))),
        lambda folder: describe(str(_written(folder / "model_index.json", b"{").parent)),
        lambda folder: describe(str(_written(folder / "model_index.json", b"[]").parent)),
        _broken_preset(b"a = = 3"),
        _broken_preset(b'title = "x\n'),
        _broken_preset(b"a = 1\na = 2"),
        _broken_preset(b"\xff\xfe"),
        _broken_preset(b"[other]\noption = 3"),
        _broken_preset(b"[when.other]\n"),
        lambda folder: runfile.read(folder / "nowhere.toml"),
        lambda folder: runfile.from_toml("[a\n"),
        lambda folder: open_rgb(folder / "nowhere.png"),
        _cut_picture,
        _damaged_folder,
    ],
)  # fmt: skip
def test_nothing_english_is_said_of_what_is_wrong(failing: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        failing(tmp_path)
    said = str(caught.value.message).replace(str(tmp_path), "")
    assert not ENGLISH_PROSE.search(QUOTED.sub(" ", said)), said


COMMON = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EISDIR,
          errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EMFILE)  # fmt: skip


@pytest.mark.usefixtures("_in_chinese")
@pytest.mark.parametrize("number", COMMON)
def test_what_the_system_says_often_is_said_in_chinese(number: int) -> None:
    error = OSError(number, os.strerror(number), "file")
    assert not re.search("[a-z]{3}", of_system(error))
    assert os.strerror(number) not in str(explain(error, "文件").message)


def test_in_english_it_is_said_as_the_system_says_it() -> None:
    for number in COMMON:
        assert of_system(OSError(number, os.strerror(number))) == os.strerror(number)
    assert of_system(OSError(errno.EXDEV, os.strerror(errno.EXDEV))) == os.strerror(errno.EXDEV)
    assert of_system(OSError("no number")) == "no number"


def test_a_percentage_is_written_the_same_everywhere() -> None:
    """`7%`, in both languages, in what is said and in what is put together."""
    apart = re.compile(r"[0-9…}] %$|[0-9…}] %(?![a-z(])")
    found = [
        f"{where}:{node.lineno}: {text!r}"
        for where, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, (ast.JoinedStr, ast.Constant))
        for text in _literals(node)
        if apart.search(text)
    ]
    found += [text for language in OTHERS for text in texts_in(language).values() if apart.search(text)]
    assert not found, "\n".join(found)


@pytest.mark.usefixtures("_in_chinese")
def test_facts_beside_each_other_are_no_enumeration() -> None:
    assert beside(["载入程序库", "4 秒"]) == "载入程序库，4 秒"
    assert joined(["甲", "乙"]) == "甲、乙"


@pytest.mark.usefixtures("_in_chinese")
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), UserError("disk.full", "")])
def test_a_sentence_within_a_sentence_ends_once(error: OSError | UserError) -> None:
    if isinstance(error, UserError):
        error = explain(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "/runs")
    failed = SaveFailed(3, error, None)
    assert "。." not in str(failed.message)
    assert "。。" not in str(failed.message)
    skipped = sample_skipped(3, error if isinstance(error, OSError) else RuntimeError(str(error)), None).message
    assert "。。" not in skipped
    assert skipped.endswith("。")
