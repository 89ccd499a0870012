"""Attention, compile, train_unet, rests and deterministic: each does what it says, and nothing else."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers.models.attention_processor
import pytest
import torch
from torch.nn import functional

from core.choices.attention import XFORMERS_FLOOR
from core.events import Continued, Done, Event, Measured, Phase, Step, Stopped
from core.texts import UserError
from core.training import attention, device
from core.training.trainer import Trainer
from tests.training.asking import Asked
from tests.training.runs import final_weights, first_gradients, quick_config, ready_trainer, run_to_end

CPU = torch.device("cpu")


def of(kind: type[Event], events: Sequence[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def installed(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(attention, "version", lambda module: version)


def missing(module: str) -> str:
    raise importlib.metadata.PackageNotFoundError(module)


@pytest.mark.parametrize(
    ("version", "code", "says"),
    [(None, "attention.missing", XFORMERS_FLOOR), ("0.0.27.post2", "attention.too-old", XFORMERS_FLOOR),
     (XFORMERS_FLOOR, "attention.needs-gpu", "sdpa")],
)  # fmt: skip
def test_xformers_that_cannot_work_is_refused_and_never_replaced(
    monkeypatch: pytest.MonkeyPatch, version: str | None, code: str, says: str
) -> None:
    monkeypatch.setattr(attention, "version", missing if version is None else lambda module: version)
    with pytest.raises(UserError) as refused:
        attention.settle("xformers", CPU, torch.float32, deterministic=False)
    assert refused.value.code == code and says in str(refused.value.message) + refused.value.message.advice


def test_xformers_built_for_another_torch_is_refused_after_a_try(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise NotImplementedError("No operator found\nand a long list")

    installed(monkeypatch, XFORMERS_FLOOR)
    monkeypatch.setattr(attention, "problem", lambda *_: None)
    monkeypatch.setattr(attention, "_computed", lambda _: fails)
    with pytest.raises(UserError, match="does not work here: No operator found") as refused:
        attention.settle("xformers", CPU, torch.float32, deterministic=False)
    assert refused.value.code == "attention.fails"


def test_auto_takes_the_fastest_that_works_and_repeats_its_bits_where_that_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert attention.settle("auto", CPU, torch.float32, deterministic=False) == "sdpa"
    monkeypatch.setattr(attention, "_tried", lambda *_: None)
    for seconds, fastest in (({"sdpa": 2.0, "xformers": 1.0}, "xformers"), ({"sdpa": 1.0, "xformers": 2.0}, "sdpa")):
        monkeypatch.setattr(attention, "_seconds", lambda name, *_, seconds=seconds: seconds[name])
        assert attention.settle("auto", CPU, torch.float32, deterministic=False) == fastest
        assert attention.settle("auto", CPU, torch.float32, deterministic=True) == "sdpa"


def test_xformers_computes_every_attention_of_the_unet_with_the_same_gradients(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def memory_efficient_attention(query: Any, key: Any, value: Any, attn_bias: Any, op: Any, scale: float) -> Any:
        calls.append(len(query))
        return functional.scaled_dot_product_attention(query, key, value, scale=scale)

    stand_in = SimpleNamespace(ops=SimpleNamespace(memory_efficient_attention=memory_efficient_attention))
    monkeypatch.setattr(diffusers.models.attention_processor, "xformers", stand_in, raising=False)
    monkeypatch.setattr(attention, "_tried", lambda *_: None)
    gradients = []
    for asked in ("sdpa", "xformers"):
        config = quick_config(tiny_sd1, pictures, performance__attention=asked)
        trainer = ready_trainer(config, tmp_path / asked)
        assert trainer._settled.attention == asked
        calls.clear()
        first_gradients(trainer)
        assert bool(calls) == (asked == "xformers")
        gradients.append([parameter.grad for parameter in trainer._model.unet.parameters()])
    assert len(calls) == len(trainer._model.unet.attn_processors)
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("gradient_checkpointing", [False, True])
def test_without_the_unet_only_the_text_encoder_learns(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, gradient_checkpointing: bool
) -> None:
    config = quick_config(
        tiny_sd1, pictures, performance__train_unet=False, performance__text_encoder_ratio=1.0,
        performance__text_encoder_rate=5e-4, performance__gradient_checkpointing=gradient_checkpointing,
        intervals__max_steps=4,
    )  # fmt: skip
    (tmp_path / "run").mkdir()
    trainer = Trainer(config, tmp_path / "run", resume=False, poll=lambda: ())
    before: dict[str, torch.Tensor] = {}
    events = []
    for event in trainer.run():
        events.append(event)
        if isinstance(event, Phase) and event.name == "training" and not before:
            before = {name: tensor.clone() for name, tensor in trainer._model.unet.state_dict().items()}
            assert not any(parameter.requires_grad for parameter in trainer._model.unet.parameters())
            assert trainer._model.unet.is_gradient_checkpointing == gradient_checkpointing
    after = trainer._model.unet.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert set(final_weights(tmp_path / "run")) == {"text_encoder.safetensors", "optimizer.safetensors"}
    assert [(step.rate, step.text_encoder_rate) for step in of(Step, events)] == [(None, 5e-4)] * 4
    assert {step.main_rate for step in of(Step, events)} == {5e-4}
    assert isinstance(events[-1], Done)


@pytest.fixture
def quick_rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A rest's seconds pass at once; how long it would have been."""
    from core.training import requests

    slept: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(requests, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    return slept


def test_the_card_rests_between_epochs_and_nothing_else_changes(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, quick_rests: list[float]
) -> None:
    rests = {"intervals__pause_every_epochs": 1, "intervals__pause_seconds": 30.0, "intervals__epochs": 3}
    events = run_to_end(quick_config(tiny_sd1, pictures, **rests), tmp_path / "run")
    assert sum(quick_rests) == pytest.approx(60.0), "not after the last epoch"
    phases = [event for event in events if isinstance(event, Phase | Step)]
    after = [phases[place - 1].step for place, event in enumerate(phases)
             if isinstance(event, Phase) and event.name == "resting"]  # fmt: skip
    assert after == [4, 8]
    assert max(quick_rests) <= 0.1, "commands are looked at meanwhile"
    run_to_end(quick_config(tiny_sd1, pictures, intervals__epochs=3), tmp_path / "restless")
    assert final_weights(tmp_path / "run") == final_weights(tmp_path / "restless")


@pytest.mark.parametrize(("command", "answer"), [("continue", Continued), ("stop", Stopped)])
def test_a_rest_ends_when_it_is_told_to(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, quick_rests: list[float], command: str, answer: type[Event]
) -> None:
    asked = [Asked(command, "a")]
    config = quick_config(tiny_sd1, pictures, intervals__pause_every_epochs=1, intervals__pause_seconds=30.0)
    (tmp_path / "run").mkdir()
    trainer = Trainer(config, tmp_path / "run", resume=False,
                      poll=lambda: [asked.pop()] if asked and len(quick_rests) > 5 else [])  # fmt: skip
    events = list(trainer.run())
    assert len(quick_rests) < 20
    assert [event.id for event in of(answer, events)] == ["a"]


def test_deterministic_says_whether_the_bits_repeat(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, performance__deterministic=True, intervals__max_steps=1)
    assert [m.repeats for m in of(Measured, run_to_end(config, tmp_path / "run"))] == [True]


def test_deterministic_switches_the_gpus_kernels_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    gpu = torch.device("cuda")
    for wanted, on in ((False, gpu), (True, CPU)):
        with device.repeating(wanted, on):
            assert not torch.are_deterministic_algorithms_enabled()
    with device.repeating(True, gpu):
        assert torch.are_deterministic_algorithms_enabled() and not torch.backends.cudnn.benchmark
        assert device.os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert not torch.are_deterministic_algorithms_enabled() and torch.backends.cudnn.benchmark


def test_every_setting_of_the_machine_reaches_the_trainer(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    original = device.repeating
    monkeypatch.setattr(device, "repeating", lambda wanted, on: seen.append(wanted) or original(wanted, on))
    run_to_end(
        quick_config(tiny_sd1, pictures, performance__deterministic=True, intervals__max_steps=1), tmp_path / "a"
    )
    assert seen == [True]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_compiled_unet_has_the_losses_of_the_plain_one_and_tells_its_time(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    changes = {"intervals__max_steps": 2, "performance__text_encoder_ratio": 0.0, "intervals__sample_every_steps": 1}
    plain = run_to_end(quick_config(tiny_sd1, pictures, **changes), tmp_path / "plain")
    config = quick_config(tiny_sd1, pictures, performance__compile=True, **changes)
    events = run_to_end(config, tmp_path / "compiled")
    assert [s.loss for s in of(Step, events)] == pytest.approx([s.loss for s in of(Step, plain)], rel=1e-3)
    measured = of(Measured, events)
    assert [m.compiled for m in measured] == [True] and measured[0].seconds > of(Measured, plain)[0].seconds
    assert "compiling" in [event.name for event in of(Phase, events)]


class Counted:
    """Stands in for torch.compile: counts what goes through the compiled form."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
        self.calls: list[bool] = []

        def compile(module: torch.nn.Module) -> None:  # noqa: A001 - the method's own name
            def compiled(*args: Any, **kwargs: Any) -> Any:
                self.calls.append(torch.is_grad_enabled())
                if error is not None:
                    raise error
                return module._call_impl(*args, **kwargs)

            module._compiled_call_impl = compiled

        monkeypatch.setattr(torch.nn.Module, "compile", compile)


def test_only_training_goes_through_the_compiled_unet(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(monkeypatch)
    config = quick_config(
        tiny_sd1, pictures, performance__compile=True, intervals__sample_every_steps=1, intervals__max_steps=4,
        intervals__validate_every_steps=2,
    )  # fmt: skip
    events = run_to_end(config, tmp_path / "run")
    assert counted.calls == [True] * 6, "four steps, the dry one, and one more when the text encoder stopped"
    assert len(of(Measured, events)) == 2


def test_a_compiler_that_does_not_work_is_an_error_with_its_mend(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Counted(monkeypatch, torch._dynamo.exc.TorchDynamoException("no C++ compiler\nat all"))
    with pytest.raises(UserError, match="no C\\+\\+ compiler") as refused:
        run_to_end(quick_config(tiny_sd1, pictures, performance__compile=True), tmp_path / "run")
    assert refused.value.code == "compile.failed" and "performance.compile" in refused.value.message.advice


def test_what_it_settled_on_is_told(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    started = run_to_end(quick_config(tiny_sd1, pictures, intervals__max_steps=1), tmp_path / "run")[0]
    assert started.settled["attention"] == "sdpa"  # type: ignore[attr-defined]


def test_the_trainer_computes_with_as_many_threads_as_were_asked_for(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    before = torch.get_num_threads()
    config = quick_config(tiny_sd1, pictures, performance__threads=before + 1, intervals__max_steps=2)
    (tmp_path / "run").mkdir()
    try:
        trainer = Trainer(config, tmp_path / "run", resume=False, poll=lambda: ())
        seen = [torch.get_num_threads() for event in trainer.run() if isinstance(event, Step)]
    finally:
        torch.set_num_threads(before)
    assert seen == [before + 1] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows a niceness of threads")
def test_in_a_thread_of_an_app_the_trainer_gives_way_on_the_processor(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    seen: list[int] = []

    def train() -> None:
        (tmp_path / "run").mkdir()
        config = quick_config(tiny_sd1, pictures, intervals__max_steps=1)
        for event in Trainer(config, tmp_path / "run", resume=False, poll=lambda: ()).run():
            if isinstance(event, Step):
                seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    before = os.getpriority(os.PRIO_PROCESS, 0)
    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert seen == [device.GIVING_WAY] and os.getpriority(os.PRIO_PROCESS, 0) == before
    run_to_end(quick_config(tiny_sd1, pictures, intervals__max_steps=1), tmp_path / "alone")
    assert os.getpriority(os.PRIO_PROCESS, 0) == before, "a run that has a process of its own is like any other"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows a niceness of threads")
def test_a_thread_that_has_given_way_further_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(os, "getpriority", lambda which, who: 15)
    monkeypatch.setattr(os, "setpriority", lambda which, who, niceness: asked.append(niceness))
    thread = threading.Thread(target=device.give_way)
    thread.start()
    thread.join()
    assert not asked, "only root may take niceness back"
