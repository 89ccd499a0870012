from __future__ import annotations

import pytest

from core.choices import formats, optimizers, precisions


@pytest.mark.parametrize(("device", "optimizer"), [("cuda", "adamw_8bit"), ("cuda:1", "adamw_8bit"), ("cpu", "adamw")])
def test_auto_is_8bit_adamw_on_cuda_and_adamw_elsewhere(device: str, optimizer: str) -> None:
    assert optimizers.settle("auto", device) == optimizer


@pytest.mark.parametrize(
    ("device", "knows_bf16", "precision"),
    [("cuda", True, "bf16"), ("cuda", False, "fp16"), ("cpu", True, "bf16"), ("cpu", False, "no")],
)
def test_auto_is_bf16_where_the_device_knows_it_then_fp16_on_cuda_then_none(
    device: str, knows_bf16: bool, precision: str
) -> None:
    assert precisions.settle("auto", device, knows_bf16) == precision


@pytest.mark.parametrize("asked", sorted(optimizers.OPTIMIZERS))
def test_an_optimizer_that_was_asked_for_is_never_exchanged(asked: str) -> None:
    assert {optimizers.settle(asked, device) for device in ("cpu", "cuda")} == {asked}


@pytest.mark.parametrize("asked", sorted(precisions.PRECISIONS))
def test_a_precision_that_was_asked_for_is_never_exchanged(asked: str) -> None:
    assert {precisions.settle(asked, device, knows) for device in ("cpu", "cuda") for knows in (True, False)} == {asked}


def test_every_entry_stands_under_its_own_id_with_words_for_people() -> None:
    for registry in (optimizers.OPTIMIZERS, formats.EXPORT_FORMATS):
        assert all(name == entry.id and entry.title and entry.help for name, entry in registry.items())


def test_no_two_formats_of_one_run_share_a_file() -> None:
    for method in formats.ANY:
        names = [formats.file_name("dog", entry.id, method) for entry in formats.formats_for(method)]
        assert len(set(names)) == len(names)
    assert formats.file_name("dog", "safetensors", "whole") == "dog.safetensors"
    assert formats.file_name("dog", "lora", "dora") == "dog.safetensors"
    assert formats.file_name("dog", "diffusers", "lora") == "dog-merged"


def test_a_folder_is_the_only_format_without_a_suffix() -> None:
    assert [entry.id for entry in formats.EXPORT_FORMATS.values() if not entry.suffix] == ["diffusers"]
