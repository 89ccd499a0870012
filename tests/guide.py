"""The pages of the guide that are made from the program: `python -m tests.guide` writes them, `make guide` calls it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

from dbtui.commands.options import as_markdown
from tests.languages import ROOT, UNSAID, Catalogue, _Reader, catalogue

GUIDE = ROOT / "docs" / "guide"
ROOMS = {
    "adapter": "LoRA and its kin",
    "attach": "Finding a run",
    "attention": "Speed and numbers",
    "batch": "Batches and steps",
    "bench": "Measuring the speed",
    "bucket": "Batches and steps",
    "buckets": "Batches and steps",
    "caption": "Captions",
    "checkpoint": "Saved states",
    "class": "Class pictures",
    "clip-skip": "Text encoder",
    "command": "Asking a run for something",
    "compile": "Speed and numbers",
    "concept": "Subjects",
    "config": "run.toml and --set",
    "crop": "Pictures",
    "data": "Pictures",
    "delete": "Runs",
    "disk": "Disk",
    "doctor": "This computer (dbtui doctor)",
    "dropout": "Captions",
    "ema": "Average of the weights (EMA)",
    "epochs": "Batches and steps",
    "export": "Exports",
    "family": "The source",
    "file": "Files",
    "files": "Files",
    "flip": "Pictures",
    "generate": "Making pictures",
    "home": "Files",
    "identifier": "The rare word",
    "internal": "Bugs",
    "latents": "Pictures",
    "launch": "Starting",
    "logout": "Logging out",
    "lora": "LoRA and its kin",
    "mask": "Pictures",
    "memory": "Memory",
    "model": "The source",
    "name": "Names",
    "new": "run.toml and --set",
    "notify": "Being told",
    "offset-noise": "Learning",
    "optimizer": "Learning",
    "picture": "Pictures",
    "pictures": "Pictures",
    "precision": "Speed and numbers",
    "preset": "Presets",
    "prior": "Class pictures",
    "processes": "Several processes",
    "queue": "The queue",
    "rate": "Learning",
    "resolution": "Pictures",
    "resume": "Going on with a run",
    "run": "Runs",
    "sample": "Previews",
    "save": "Saved states",
    "scheduler": "Learning",
    "source": "The source",
    "state": "Saved states",
    "tags": "Captions",
    "template": "Captions",
    "text-encoder": "Text encoder",
    "tracking": "Trackers",
    "trained": "While it trains",
    "training": "While it trains",
    "vae": "The VAE",
    "validate": "Previews",
    "warmup": "Learning",
    "weights": "Speed and numbers",
}
"""Titles of chapters; a beginning of codes that is not named here is its own title."""


class _Errors(_Reader):
    """The codes of what is raised or found, whether it has a mend or not."""

    def __init__(self, where: str) -> None:
        super().__init__(Catalogue(), where)
        self.codes: set[str] = set()

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name == "UserError" and len(node.args) >= 2:
            self.codes.update(code for code in self._all(node.args[0]) if code)
        super().visit_Call(node)


def errors() -> dict[str, tuple[list[str], list[str]]]:
    """Code → the English sentences that it says, and the mends that it may name."""
    said = catalogue().texts
    codes = {code.removesuffix(".mend") for code in said if code.endswith(".mend")}
    for room in ("core", "dbtui"):
        for path in sorted((ROOT / room).rglob("*.py")):
            where = path.relative_to(ROOT).as_posix()
            if not where.startswith(UNSAID):
                reader = _Errors(where)
                reader.visit(ast.parse(path.read_text(encoding="utf-8")))
                codes |= reader.codes
    return {code: (sorted(said[code]), sorted(said.get(f"{code}.mend", {}))) for code in sorted(codes & set(said))}


def entry(code: str, sentences: list[str], mends: list[str]) -> list[str]:
    """One code: on one line if it says one thing, else each of its sentences and mends on a line of its own."""
    said, told = [in_words(one) for one in sentences], [f"*{in_words(one)}*" for one in mends]
    if len(said) == 1 and len(told) < 2:
        return [" – ".join([f"- `{code}` {said[0]}", *told])]
    return [f"- `{code}`", *(f"  - {one}" for one in (*said, *told))]


def in_words(template: str) -> str:
    """`{path}` → `‹path›`; what Markdown would take for HTML or emphasis stays as it is. The `--home DIR` at the end of
    a command is left out: it is said only where the runs are not in the usual place.
    """
    text = re.sub(r"(?<!\{)\{(\w+)[^{}]*\}", lambda match: f"‹{match[1].replace('_', ' ')}›",
                  template.replace("{home}`", "`"))  # fmt: skip
    text = text.replace("{{", "{").replace("}}", "}")
    return re.sub(r"([<*|])", r"\\\1", " ".join(text.split()))


def messages_page() -> str:
    """Every sentence that can stand in the way, and what to do."""
    chapters: dict[str, list[str]] = defaultdict(list)
    for code, (sentences, mends) in errors().items():
        chapter = code.split(".", 1)[0]
        chapters[ROOMS.get(chapter, chapter)] += entry(code, sentences, mends)
    lines = [
        "# Troubleshooting by message",
        "",
        "Everything the program says when something is wrong, and what to do. Search this page for some words of your",
        "message; ‹words in brackets› stand for your own names and numbers. The code before each sentence is what",
        "`dbtui check --json` calls it. This page is written by `make guide`.",
    ]
    for chapter in sorted(chapters, key=str.casefold):
        lines += ["", f"## {chapter[0].upper()}{chapter[1:]}", "", *chapters[chapter]]
    return "\n".join(lines) + "\n"


def options_page() -> str:
    """Every option, as `dbtui options --markdown` prints it."""
    head = [
        "# Every option",
        "",
        "The same table draws the wizard, the comments in `run.toml` and `dbtui options`. On a command line an option",
        "is `--set section.option=value`, with the number of the subject for `*`:",
        "`--set concepts.0.prior.images_per_instance=5`. This page is written by `make guide`.",
        "",
        "",
    ]
    return "\n".join(head) + as_markdown() + "\n"


PAGES = {"messages.md": messages_page, "options.md": options_page}


def main() -> None:
    for name, page in PAGES.items():
        (GUIDE / name).write_text(page(), encoding="utf-8")
        print(GUIDE / name)


if __name__ == "__main__":
    main()
