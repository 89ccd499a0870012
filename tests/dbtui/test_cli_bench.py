"""`dbtui bench` as people and programs see it; what it measures is tested in tests/bench."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from core.bench import measure
from core.bench.results import Cost, Measurement, Refused, Result
from core.bench.settings import Setting
from core.machine import Machine
from core.texts import message
from dbtui.__main__ import main
from dbtui.commands import bench

Said = pytest.CaptureFixture[str]


class MadeUp:
    """Measures nothing. Of each family the batch of 8 does not fit."""

    asked: dict[str, Any] = {}

    def __init__(self, **asked: Any) -> None:
        MadeUp.asked = asked

    def run(self, settings: Sequence[Setting], begins: Callable[[Setting], None]) -> Iterator[Result]:
        for setting in settings:
            begins(setting)
            yield self.result(setting)

    def result(self, setting: Setting) -> Result:
        if setting.batch == 8:
            return Refused(setting, message("bench.memory", "It does not fit.", mend="Take less."))
        costs = (Cost("native_group_norm", 1.25, 0.25, 61),) if MadeUp.asked["profile"] else ()
        return Measurement(
            setting=setting, resolution=512, precision="bf16", optimizer="adamw", attention="sdpa",
            images_per_second=9.9, bare_images_per_second=10.0, ratio=0.99, computing_ratio=0.98,
            flops_per_step=2_400_000_000_000,
            mfu=0.421, peak_bytes=21_300_000_000, first_step_seconds=12.3, rounds=7, steps_in_a_round=3,
            notes=("Smaller batches.",), costs=costs,
        )  # fmt: skip


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "Bench", MadeUp)
    monkeypatch.setattr(bench, "inspect_machine", lambda: Machine("cpu", "", 0, 0, 10**10, 10**10, 2, True))
    monkeypatch.setenv("COLUMNS", "80")


def test_people_read_a_table_what_went_wrong_and_what_the_numbers_mean(capsys: Said) -> None:
    assert main(["bench", "--family", "sdxl", "--method", "lora", "--batch", "4", "--batch", "8", "--profile"]) == 0
    said = capsys.readouterr()
    assert "measuring sdxl lora batch 4 …\n  9.90 images/s, 99.0% of the bare loop" in said.err
    row = next(line for line in said.out.splitlines() if line.startswith("sdxl lora 4 ×"))
    assert row.split()[4:] == ["512", "px", "9.90", "10.00", "99.0%", "42.1%", "21.3", "GB", "12.3", "s"]
    assert "sdxl lora batch 8: It does not fit. Take less." in said.out
    assert "sdxl lora batch 4: Smaller batches." in said.out
    assert "native_group_norm" in said.out
    assert "images/s: how many of your pictures are trained in a second." in said.out
    assert all(len(line) <= 80 for line in said.out.splitlines())


def test_each_variant_has_a_table_of_its_own(capsys: Said) -> None:
    main(
        ["bench", "--method", "full", "--setting", "performance.compile=false", "--setting", "performance.compile=true"]
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines.index("performance.compile=false") < lines.index("performance.compile=true")
    assert sum(line.startswith("sd1 full 1 ×") for line in lines) == 2


def test_programs_read_the_machine_the_versions_and_every_setting(capsys: Said) -> None:
    options = "performance.compile=true performance.attention=sdpa"
    assert main(["bench", "--family", "sd1", "--method", "full", "--batch", "1", "--batch", "8", "--setting", options,
                 "--json"]) == 0  # fmt: skip
    said = json.loads(capsys.readouterr().out)
    assert said["device"]
    assert said["date"].startswith("20")
    assert {"torch", "diffusers", "cuda"} <= said["versions"].keys()
    fits, does_not = said["results"]
    assert (fits["family"], fits["method"], fits["batch"]) == ("sd1", "full", 1)
    assert fits["options"] == {"performance.compile": "true", "performance.attention": "sdpa"}
    assert (fits["ratio"], fits["mfu"], fits["peak_bytes"]) == (0.99, 0.421, 21_300_000_000)
    assert does_not["error"] == {"code": "bench.memory", "text": "It does not fit.", "advice": "Take less."}


def test_on_a_computer_without_a_gpu_the_networks_are_tiny_unless_asked(capsys: Said) -> None:
    main(["bench", "--family", "sd1"])
    assert MadeUp.asked["real"] is False
    assert "tiny networks" in capsys.readouterr().out
    main(["bench", "--family", "sd1", "--real"])
    assert MadeUp.asked["real"] is True
    assert "tiny networks" not in capsys.readouterr().out


def test_where_nothing_could_be_measured_the_code_is_1_and_for_a_wrong_setting_2(capsys: Said) -> None:
    assert main(["bench", "--batch", "8"]) == 1
    assert main(["bench", "--family", "sd9"]) == 2
    assert main(["bench", "--setting", "performance.compile=perhaps"]) == 2
    assert "Compile must be" in capsys.readouterr().err
    assert main(["bench", "--setting", "compile"]) == 2
    assert "--setting takes section.option=value; 'compile' has no =." in capsys.readouterr().err
