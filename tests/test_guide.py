"""What README and the guide say is there: links, commands, options, pages that are made from the program."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer.main

from core.config.table import option_table
from dbtui.cli import app
from tests.guide import GUIDE, PAGES, entry, in_words
from tests.languages import ROOT
from tests.whole.drawings import slim

README, CHINESE = ROOT / "README.md", ROOT / "docs" / "README.zh-CN.md"
PAPERS = [README, CHINESE, ROOT / "CONTRIBUTING.md", *sorted(GUIDE.glob("*.md"))]
SCREENS = ROOT / "docs" / "screens"
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
by_name = pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)


def commands_in(text: str) -> Iterator[list[str]]:
    """The words of each `dbtui …` in the text: of the lines of a block, and between backticks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    for line in (*lines, *inline):
        if re.match(r"(\S*/)?dbtui\b", line):
            yield shlex.split(re.split(r"\s#\s", line)[0].replace("…", ""), posix=True)[1:]


def wrong_with(words: list[str]) -> str:
    """What no command of the program takes; empty for a command line that it takes."""
    command: Any = typer.main.get_command(app)
    known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--install-completion"}
    for word in words:
        name = word.split("=")[0]
        below = getattr(command, "commands", {})
        if name.startswith("-"):
            if name not in known:
                return f"{name} is no option of {command.name}"
        elif below:
            if not name.islower():
                return ""  # COMMAND stands for any
            if name not in below:
                return f"{name} is no command"
            command = below[name]
            for parameter in command.params:
                known |= {*parameter.opts, *parameter.secondary_opts}
    return ""


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_made_from_the_program_are_up_to_date(name: str) -> None:
    assert (GUIDE / name).read_text(encoding="utf-8") == PAGES[name](), "make guide"


@by_name
def test_each_link_leads_somewhere(paper: Path) -> None:
    links = [link.split("#")[0] for link in LINK.findall(paper.read_text(encoding="utf-8"))]
    gone = [link for link in links if link and "://" not in link and not (paper.parent / link).exists()]
    assert not gone


@by_name
def test_each_command_and_its_options_are_there(paper: Path) -> None:
    text = paper.read_text(encoding="utf-8")
    if paper.name in PAGES:
        text = text.replace("‹", "").replace("›", "")
    assert [wrong for words in commands_in(text) if (wrong := wrong_with(words))] == []


def test_a_wrong_command_is_noticed() -> None:
    text = "```\ndbtui trian x   # no\ndbtui train run.toml --resum\n```\n`dbtui queue ad` `dbtui queue add a.toml`"
    assert [bool(wrong_with(words)) for words in commands_in(text)] == [True, True, True, False]


@by_name
def test_each_option_is_there(paper: Path) -> None:
    known = {option.path for option in option_table()}
    sections = {path.split(".")[0] for path in known}
    if paper.name == "messages.md":
        return  # codes look like options
    named = re.findall(r"(?<![\w./-])([a-z_]+(?:\.[\w*]+)+)(?:=|`)", paper.read_text(encoding="utf-8"))
    asked = {re.sub(r"^concepts\.\d+\.", "concepts.*.", name) for name in named if name.split(".")[0] in sections}
    assert not {name for name in asked if name not in known}


def test_each_page_of_the_guide_is_in_its_contents() -> None:
    contents = (GUIDE / "README.md").read_text(encoding="utf-8")
    assert {page.name for page in GUIDE.glob("*.md")} - {"README.md"} <= set(LINK.findall(contents))


def typed_in(text: str) -> list[list[str]]:
    """The lines of each block, without what is said beside them; blocks that are drawings left out."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [[re.split(r"\s+#\s", line)[0] for line in block.splitlines()] for block in blocks if "│" not in block]


def test_the_chinese_readme_has_the_same_parts_and_commands_as_the_english_one() -> None:
    english, chinese = (paper.read_text(encoding="utf-8") for paper in (README, CHINESE))
    assert typed_in(chinese) == typed_in(english)
    assert list(commands_in(chinese)) == list(commands_in(english))
    inside = [set(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)))
              for text in (chinese, english)]  # fmt: skip
    assert inside[0] == inside[1]
    assert [line.split()[0] for line in chinese.splitlines() if line.startswith("#")] == [
        line.split()[0] for line in english.splitlines() if line.startswith("#")
    ]
    assert "docs/README.zh-CN.md" in english.split("\n\n")[1] and "../README.md" in chinese.split("\n\n")[1]


@pytest.mark.parametrize("paper", [README, CHINESE], ids=lambda paper: paper.name)
def test_readme_names_every_command(paper: Path) -> None:
    text = paper.read_text(encoding="utf-8")
    commands: Any = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert not [name for name in commands if f"`{name}" not in text and f"`dbtui {name}" not in text]


def test_every_screen_of_the_walk_is_shown_at_both_sizes_and_small() -> None:
    from tests.whole.screens import MOST_BYTES, SIZES, WALK, file_name

    shown = [Path(link).name for link in LINK.findall((GUIDE / "walk.md").read_text(encoding="utf-8"))]
    drawn = [file_name(screen, size) for screen in WALK for size in SIZES]
    assert [name for name in shown if name.endswith(".svg")] == drawn
    assert {path.name for path in SCREENS.glob("*.svg")} == set(drawn)
    assert all((SCREENS / name).stat().st_size <= MOST_BYTES for name in drawn)


def test_values_stand_in_brackets() -> None:
    assert in_words("{path} has {count:,} <bytes>, {{braces}}") == "‹path› has ‹count› \\<bytes>, {braces}"


def test_what_a_code_may_say_stands_one_below_the_other() -> None:
    assert entry("a.b", ["It {is} so."], []) == ["- `a.b` It ‹is› so."]
    assert entry("a.b", ["It is."], ["Mend it."]) == ["- `a.b` It is. – *Mend it.*"]
    assert entry("a.b", ["It is."], ["Mend it.", "Or that."]) == [
        "- `a.b`", "  - It is.", "  - *Mend it.*", "  - *Or that.*",
    ]  # fmt: skip
    assert entry("a.b", ["It is.", "They are."], []) == ["- `a.b`", "  - It is.", "  - They are."]


def test_a_slim_drawing_keeps_areas_words_and_colours() -> None:
    drawing = (
        "<style>.terminal-7-r1 { fill: #112233 }\n.terminal-7-r2 { fill: #445566;font-weight: bold }\n</style>"
        '<rect fill="#abcdef" x="12.2" y="25.9" width="24.4" height="24.65" shape-rendering="crispEdges"/>'
        '<text class="terminal-7-r1" x="0" y="44.4" textLength="12.2" clip-path="url(#terminal-7-line-1)">▀</text>'
        '<text class="terminal-7-r2" x="0" y="44.4" textLength="24.4" clip-path="url(#terminal-7-line-1)">hi</text>'
    )
    assert slim(drawing) == (
        "<style>.t-r2 { fill: #445566;font-weight: bold }\npath { shape-rendering: crispEdges }\n    </style>"
        '<path fill="#abcdef" d="M12.2 25.9h24.4v24.65h-24.4"/><path fill="#112233" d="M0 25.9h12.2v12.3h-12.2"/>'
        '<text class="t-r2" x="0" y="44.4" textLength="24.4">hi</text>'
    )


def test_no_line_of_the_chinese_readme_ends_within_a_sentence() -> None:
    """A page shows the end of a line as a space: Chinese has room for one behind its marks alone."""
    text = re.sub(r"```.*?```", "", CHINESE.read_text(encoding="utf-8"), flags=re.DOTALL)
    for line, following in pairwise(text.splitlines()):
        if line.strip() and following.strip() and not line.startswith(("|", "#")):
            assert line.endswith(("。", "，", "；", "：", "、", "·")), line
