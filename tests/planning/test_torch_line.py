from __future__ import annotations

import subprocess
import sys

ROOMS = (
    "core.texts", "core.events", "core.seeds", "core.files", "core.machine", "core.choices.optimizers",
    "core.config.presets", "core.config.runfile", "core.config.settle", "core.data.scan", "core.data.batches",
    "core.data.captions", "core.families.describe", "core.families.vocabulary", "core.planning.checks",
    "core.planning.plan", "core.planning.survey", "core.runs", "core.demo.preset", "core.demo.run",
)  # fmt: skip
HEAVY = ("torch", "transformers", "diffusers", "accelerate", "bitsandbytes", "numpy", "PIL", "textual", "rich", "dbtui")


def test_rooms_before_the_torch_line_load_nothing_heavy() -> None:
    program = (
        "import importlib, sys\n"
        f"for room in {ROOMS}:\n"
        "    importlib.import_module(room)\n"
        f"    loaded = [name for name in {HEAVY} if name in sys.modules]\n"
        "    if loaded: sys.exit(f'{room} loads {loaded}')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_counting_tokens_and_checking_a_run_load_no_torch() -> None:
    checked = (
        "import sys; from pathlib import Path; from core.config.options import RunConfig; "
        "from core.config.parsing import with_changes; from core.planning.checks import check; "
        "from core.planning.survey import survey; "
        "config = with_changes(RunConfig(), {'concepts.0.instance.identifier': 'ohwx'}); "
        "check(config, survey(config, Path('.'), decode=False)); "
        "print(*(name for name in ('torch', 'transformers', 'diffusers', 'bitsandbytes') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", checked], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
