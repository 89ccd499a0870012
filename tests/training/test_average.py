from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from core.config.runfile import to_toml
from core.events import Checkpoint, Event, Export, Sample, Step
from core.export.run import export_run
from core.tensors import digest, read_tensors
from core.texts import UserError
from core.training.average import Average, decay_at
from core.training.checkpoints import list_checkpoints, read_average
from core.training.trained import Trained
from core.training.trainer import Trainer
from tests.training.runs import no_commands, quick_config, run_to_end

SHAPE = (40, 3)
EMA = {"performance__ema": True, "performance__ema_decay": 0.2}


def trained(dtype: torch.dtype = torch.float32) -> Trained:
    def parameter(seed: int) -> nn.Parameter:
        return nn.Parameter(torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed)).to(dtype))

    return Trained({"unet": {"a": parameter(1), "b": parameter(2)}, "text_encoder": {"a": parameter(3)}})


def shifted(weights: Trained, by: float) -> None:
    with torch.no_grad():
        for _, parameter in weights.named_parameters():
            parameter.add_(by)


def test_the_decay_warms_up_to_what_was_chosen() -> None:
    assert [decay_at(update, 0.9) for update in (0, 1, 8, 100, 10_000)] == [1 / 10, 2 / 11, 0.5, 0.9, 0.9]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_average_is_that_of_a_computation_in_doubles(dtype: torch.dtype) -> None:
    weights = trained(dtype)
    average = Average(weights, 0.9)
    expected = {name: parameter.detach().double() for name, parameter in weights.named_parameters()}
    for update in range(30):
        shifted(weights, 0.01 * (update + 1))
        average.update(update)
        decay = min(0.9, (1 + update) / (10 + update))
        for name, parameter in weights.named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * parameter.detach().double()
    for name, tensor in average.state().items():
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor.double(), expected[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_are_back_to_the_bit_after_the_average_was_in_force_whatever_happened(dtype: torch.dtype) -> None:
    weights = trained(dtype)
    average = Average(weights, 0.9)
    shifted(weights, 1.0)
    average.update(0)
    raw = {name: parameter.detach().clone() for name, parameter in weights.named_parameters()}
    held = {name: tensor.clone() for name, tensor in average.state().items()}
    with pytest.raises(KeyboardInterrupt), average.in_force():
        for name, parameter in weights.named_parameters():
            assert torch.equal(parameter, held[name]) and not torch.equal(parameter.float(), raw[name].float())
        raise KeyboardInterrupt
    for name, parameter in weights.named_parameters():
        assert parameter.dtype == dtype and torch.equal(parameter, raw[name])
    assert all(torch.equal(tensor, held[name]) for name, tensor in average.state().items())


def test_an_average_taken_and_restored_goes_on_to_the_same_bits() -> None:
    weights = trained()
    average = Average(weights, 0.9)
    shifted(weights, 1.0)
    average.update(0)
    taken = {name: tensor.clone() for name, tensor in average.state().items()}
    other = Average(weights, 0.9)
    other.restore(taken)
    shifted(weights, 0.5)
    for each in (average, other):
        each.update(1)
    assert all(torch.equal(tensor, other.state()[name]) for name, tensor in average.state().items())


def test_a_component_that_stops_leaves_the_average_with_its_raw_weights() -> None:
    weights = trained()
    average = Average(weights, 0.9)
    shifted(weights, 1.0)
    average.drop("text_encoder")
    average.update(0)
    assert set(average.state()) == {"unet/a", "unet/b"}
    raw = weights.components["text_encoder"]["a"].detach().clone()
    with average.in_force():
        assert torch.equal(weights.components["text_encoder"]["a"], raw)


def test_an_average_of_nothing_does_nothing() -> None:
    average = Average(Trained({}), 0.9)
    average.update(0)
    average.restore({})
    with average.in_force():
        assert not average.state()


def test_a_run_keeps_the_average_of_its_weights_beside_them(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__save_every_steps=1, saving__keep_checkpoints=9,
                          performance__text_encoder_ratio=1.0, **EMA)  # fmt: skip
    run_to_end(config, tmp_path / "run")
    states = [path for _, path in list_checkpoints(tmp_path / "run" / "checkpoints")]
    source = {f"unet/{name}": tensor for name, tensor in read_tensors(tiny_sd1 / "unet" / WEIGHTS).items()}
    expected = {name: source[name].double() for name in list(source)[:5]}
    for update, state in enumerate(states):
        decay = min(0.2, (1 + update) / (10 + update))
        raw, average = read_tensors(state / "unet.safetensors"), read_average(state)
        assert any(name.startswith("text_encoder/text_model.") for name in average)
        for name in expected:
            expected[name] = decay * expected[name] + (1 - decay) * raw[name.removeprefix("unet/")].double()
            torch.testing.assert_close(average[name].double(), expected[name], rtol=1e-5, atol=1e-6)
    assert len(states) == 8


WEIGHTS = "diffusion_pytorch_model.safetensors"


def test_the_average_changes_nothing_of_what_is_trained(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    for name, changes in (("plain", {}), ("ema", EMA | {"performance__ema_previews": True})):
        config = quick_config(tiny_sd1, pictures, intervals__sample_every_steps=1, **changes)
        run_to_end(config, tmp_path / name)
    plain, averaged = (
        read_tensors(list_checkpoints(tmp_path / name / "checkpoints")[-1][1] / "unet.safetensors")
        for name in ("plain", "ema")
    )
    assert all(torch.equal(tensor, averaged[name]) for name, tensor in plain.items())


def test_previews_show_the_average_where_that_was_chosen_and_weights_are_raw_while_they_are_told(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    shown: dict[bool, bytes] = {}
    raw = ""
    for averaged in (False, True):
        config = quick_config(tiny_sd1, pictures, intervals__sample_every_steps=8, intervals__save_every_steps=1,
                              performance__ema_previews=averaged, **EMA)  # fmt: skip
        folder = tmp_path / str(averaged)
        folder.mkdir()
        trainer = Trainer(config, folder, resume=False, poll=no_commands)
        for event in trainer.run():
            if isinstance(event, Step):
                raw = digest(trainer._model.unet.state_dict())
            if isinstance(event, Sample):
                shown[averaged] = (folder / event.path).read_bytes()
                assert digest(trainer._model.unet.state_dict()) == raw
    assert shown[False] != shown[True]


def test_the_average_is_exported_beside_the_model_where_that_was_chosen(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    config = quick_config(tiny_sd1, pictures, saving__export_when_done=True, saving__include_ema=True,
                          saving__half=False, saving__export_format="diffusers", **EMA)  # fmt: skip
    events = run_to_end(config, tmp_path / "run")
    assert exports(events) == ["export/quick", "export/quick-ema"]
    _, state = list_checkpoints(tmp_path / "run" / "checkpoints")[-1]
    average, raw = read_average(state), read_tensors(state / "unet.safetensors")
    for path, expected in (("quick", raw), ("quick-ema", {k.removeprefix("unet/"): v for k, v in average.items()})):
        written = read_tensors(tmp_path / "run" / "export" / path / "unet" / WEIGHTS)
        assert all(torch.equal(tensor, expected[name]) for name, tensor in written.items())
    (tmp_path / "run" / "run.toml").write_text(to_toml(config))
    later = export_run(tmp_path / "run", average=True).path
    assert later == "export/quick-step-000008-ema"
    for file in sorted((tmp_path / "run" / "export" / "quick-ema").rglob("*.safetensors")):
        again = tmp_path / "run" / later / file.relative_to(tmp_path / "run" / "export" / "quick-ema")
        assert digest(read_tensors(file)) == digest(read_tensors(again)), file


def test_what_was_finished_and_exported_is_not_exported_again(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, saving__export_when_done=True, saving__include_ema=True, **EMA)
    assert len(exports(run_to_end(config, tmp_path / "run"))) == 2
    assert exports(run_to_end(config, tmp_path / "run", resume=True)) == []
    (tmp_path / "run" / "export" / "quick-ema.safetensors").unlink()
    assert len(exports(run_to_end(config, tmp_path / "run", resume=True))) == 2


def test_a_run_without_the_average_keeps_shows_and_exports_none(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, saving__export_when_done=True, saving__include_ema=True)
    events = run_to_end(config, tmp_path / "run")
    assert exports(events) == ["export/quick.safetensors"]
    (checkpoint,) = (event for event in events if isinstance(event, Checkpoint))
    assert not (tmp_path / "run" / checkpoint.path / "average.safetensors").exists()
    (tmp_path / "run" / "run.toml").write_text(to_toml(config))
    with pytest.raises(UserError, match="holds no average"):
        export_run(tmp_path / "run", average=True)


def test_the_average_of_adapters_is_kept_and_exported_too(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, saving__export_when_done=True, saving__include_ema=True,
                          lora__enabled=True, **EMA)  # fmt: skip
    raw, averaged = exports(run_to_end(config, tmp_path / "run"))
    files = [read_tensors(tmp_path / "run" / path) for path in (raw, averaged)]
    assert files[0].keys() == files[1].keys() and digest(files[0]) != digest(files[1])
    _, state = list_checkpoints(tmp_path / "run" / "checkpoints")[-1]
    assert all("lora_" in name for name in read_average(state))


def exports(events: list[Event]) -> list[str]:
    return [event.path for event in events if isinstance(event, Export)]
