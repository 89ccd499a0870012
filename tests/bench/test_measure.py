"""The bench on tiny networks: what it measures is the trainer, and nothing that fails ends it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from core.bench import measure
from core.bench.bare import BareLoop
from core.bench.flops import flops_of_a_step
from core.bench.measure import Bench, Rounds, Spent
from core.bench.open_trainer import OpenTrainer
from core.bench.results import Measurement, Refused, Result
from core.bench.settings import Setting, config_of, pictures_of
from core.bench.source import draw_pictures, make_source
from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.settle import settle
from core.events import Step
from core.families.describe import SourceDescription, describe
from core.texts import UserError
from core.training.device import Settled
from tests.training.runs import no_commands


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sources")
    return {family: make_source(family, folder, real=False, device=torch.device("cpu")) for family in ("sd1", "sdxl")}


def trained(source: Path, folder: Path, setting: Setting) -> tuple[OpenTrainer, SourceDescription]:
    """A trainer that has made its first step."""
    config = settle(config_of(setting, source, folder / "pictures"))
    draw_pictures(folder / "pictures", pictures_of(config), 32)
    trainer = OpenTrainer(config, folder, resume=False, poll=no_commands)
    for event in trainer.run():
        if isinstance(event, Step):
            return trainer, describe(str(source))
    raise AssertionError("no step was made")


SMALL = {"model.resolution": "64", "performance.mixed_precision": "no"}
"""Latents of 8 × 8."""


def run(*settings: Setting, **changes: Any) -> list[Result]:
    return list(Bench(**{"real": False, "seconds": 0.01, "profile": False} | changes).run(settings, lambda _: None))


def test_a_measurement_has_every_figure_and_its_costs() -> None:
    (found,) = run(Setting("sd1", "lora", 2, SMALL), profile=True)
    assert isinstance(found, Measurement)
    assert found.resolution == 64
    assert found.images_per_second > 0
    assert math.isclose(found.ratio, found.images_per_second / found.bare_images_per_second, rel_tol=0.7)
    assert found.computing_ratio is not None
    assert math.isclose(found.computing_ratio, 1, rel_tol=0.5)
    assert found.flops_per_step > 0
    assert found.mfu is None
    assert found.peak_bytes > 50_000_000
    assert found.first_step_seconds > 0
    assert found.costs[0].name
    assert any(cost.name == "matrix products" for cost in found.costs)


def figures_of(device: str, ours: list[Spent], theirs: list[Spent], monkeypatch: pytest.MonkeyPatch) -> Measurement:
    """Of rounds of four steps that took so long, with eight pictures and 6e12 operations in a step."""
    monkeypatch.setattr(measure, "flops_of_a_step", lambda *_, **__: 6 * 10**12)
    monkeypatch.setattr(measure, "peak_of", lambda name, precision: 1e12 if (name, precision) == ("X", "bf16") else 0)
    rounds = Rounds.__new__(Rounds)
    rounds._config = with_changes(RunConfig(), {"batch.size": 2, "batch.accumulation": 4})
    rounds._notes = []
    settled = Settled(torch.device(device), "bf16", "adamw", 512, 1, "sdpa")
    rounds._trainer = SimpleNamespace(settled=SimpleNamespace(**vars(settled), name="X"),  # type: ignore[assignment]
                                      pictures_in_a_step=8, components=["unet"])  # fmt: skip
    return rounds._figures(Setting("sd1", "full", 2), SimpleNamespace(), ours, theirs,  # type: ignore[arg-type]
                           peak=7, first=1.5, count=4, costs=())  # fmt: skip


def test_figures_are_the_medians_of_the_rounds_each_beside_its_own_bare_one(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = [Spent(40.0, 20.0), Spent(32.0, 10.0), Spent(80.0, 50.0)]
    theirs = [Spent(20.0, 15.0), Spent(24.0, 8.0), Spent(16.0, 10.0)]
    found = figures_of("cpu", ours, theirs, monkeypatch)
    assert found.images_per_second == 8 / 10, "the median round of 40 s has four steps of eight pictures"
    assert found.bare_images_per_second == 8 / 5
    assert found.ratio == 0.5, "their time over ours, round by round: 0.5, 0.75 and 0.2"
    assert found.computing_ratio == 0.75, "0.75, 0.8 and 0.2"
    assert found.mfu == 0.6, "6e12 operations in 10 s on a card of 1e12 a second"
    assert (found.rounds, found.steps_in_a_round, found.peak_bytes, found.first_step_seconds) == (3, 4, 7, 1.5)


def test_a_card_has_no_ratio_of_computing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = figures_of("cuda", [Spent(40.0, 20.0)], [Spent(20.0, 15.0)], monkeypatch)
    assert found.computing_ratio is None and (found.ratio, found.mfu) == (0.5, 0.6)


@pytest.mark.parametrize(("family", "method"), [("sd1", "full"), ("sdxl", "lora")])
def test_the_bare_loop_trains_the_trainers_own_weights_and_no_others(
    family: str, method: str, sources: dict[str, Path], tmp_path: Path
) -> None:
    trainer, _ = trained(sources[family], tmp_path, Setting(family, method, 1, SMALL))
    before = {name: weight.clone() for name, weight in trainer._model.unet.named_parameters()}
    trainer.bare_loop().step()
    changed = {name for name, weight in trainer._model.unet.named_parameters() if not torch.equal(weight, before[name])}
    wanted = {name for name, weight in trainer._model.unet.named_parameters() if weight.requires_grad}
    assert changed
    assert changed <= wanted
    assert all(weight.grad is None for weight in trainer._model.unet.parameters())


@pytest.mark.parametrize(
    ("family", "method", "unet", "text", "prior"),
    [
        ("sd1", "full", "true", "0", "0"),
        ("sd1", "lora", "true", "1", "0"),
        ("sd1", "full", "false", "1", "0"),
        ("sdxl", "full", "true", "1", "1"),
        ("sdxl", "lora", "true", "0", "0"),
        ("sdxl", "lora", "false", "1", "0"),
    ],
)
def test_counted_operations_are_those_that_a_step_computes(
    family: str, method: str, unet: str, text: str, prior: str, sources: dict[str, Path], tmp_path: Path
) -> None:
    options = SMALL | {
        "performance.train_unet": unet,
        "performance.text_encoder_ratio": text,
        "concepts.0.prior.images_per_instance": prior,
    }
    trainer, source = trained(sources[family], tmp_path, Setting(family, method, 2, options))
    bare = trainer.bare_loop()
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH):  # of a processor's own attention torch counts nothing
        bare.step()
    counted = flops_of_a_step(trainer._config, source, side=64, pictures=trainer.pictures_in_a_step,
                              components=trainer.components)  # fmt: skip
    assert trainer.pictures_in_a_step == (4 if prior == "1" else 2)
    assert counted == counter.get_total_flops()


def test_what_checkpointing_computes_twice_counts_once(sources: dict[str, Path], tmp_path: Path) -> None:
    setting = Setting("sd1", "full", 1, SMALL | {"performance.gradient_checkpointing": "true"})
    trainer, source = trained(sources["sd1"], tmp_path, setting)
    counter = FlopCounterMode(display=False)
    with counter:
        trainer.bare_loop().step()
    counted = flops_of_a_step(trainer._config, source, side=64, pictures=1, components=trainer.components)
    assert counted < counter.get_total_flops()


def test_a_bare_loop_accumulates_as_the_trainer_does(sources: dict[str, Path], tmp_path: Path) -> None:
    calls = []
    trainer, _ = trained(sources["sd1"], tmp_path, Setting("sd1", "lora", 2, SMALL | {"batch.accumulation": "3"}))
    trainer._model.unet.register_forward_hook(lambda module, inputs, output: calls.append(len(inputs[0])))
    trainer.bare_loop().step()
    assert calls == [2, 2, 2]


def test_weights_in_bf16_are_updated_too(sources: dict[str, Path], tmp_path: Path) -> None:
    setting = Setting("sd1", "full", 1, {"model.resolution": "64", "performance.weights": "bf16"})
    trainer, _ = trained(sources["sd1"], tmp_path, setting)
    before = trainer._model.unet.conv_in.weight.clone()
    bare = trainer.bare_loop()
    for _ in range(50):
        bare.step()
        if not torch.equal(trainer._model.unet.conv_in.weight, before):
            return
    raise AssertionError("no weight moved")


@pytest.mark.slow
def test_the_bare_loop_runs_what_was_compiled_for_the_trainer(
    sources: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = []

    def traced(graph: torch.fx.GraphModule, inputs: object) -> object:
        graphs.append(graph)
        return graph.forward

    plain = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module: plain(module, backend=traced))
    options = SMALL | {"performance.compile": "true"}
    trainer, _ = trained(sources["sd1"], tmp_path, Setting("sd1", "lora", 1, options))
    of_the_trainer = len(graphs)
    trainer.bare_loop().step()
    assert len(graphs) == of_the_trainer > 0


def refusing(error: Exception) -> Iterator[None]:
    raise error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "bench.memory"),
        (UserError("optimizer.missing", "There is no bitsandbytes."), "optimizer.missing"),
        (ZeroDivisionError("somewhere"), "bench.fault"),
    ],
)
def test_what_fails_is_a_row_that_says_why_and_the_others_go_on(
    error: Exception, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = BareLoop.step
    failing = [error]
    monkeypatch.setattr(BareLoop, "step", lambda self: real(self) if not failing else refusing(failing.pop()))
    first, second = run(Setting("sd1", "lora", 1, SMALL), Setting("sd1", "full", 1, SMALL))
    assert isinstance(first, Refused)
    assert first.reason.code == code
    assert isinstance(second, Measurement)


def test_nothing_is_left_of_a_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure.tempfile, "tempdir", str(tmp_path))
    run(Setting("sd1", "lora", 1, SMALL))
    assert list(tmp_path.iterdir()) == []
