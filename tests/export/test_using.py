"""How an export gets to where it is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.choices.formats import EXPORT_FORMATS, file_name, format_of
from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.export.using import exported_files, scp_line, uses

FACE = {"concepts.0.instance.identifier": "sks", "concepts.0.instance.class_noun": "dog"}


@pytest.mark.parametrize(
    ("connection", "line"),
    [
        ("10.0.0.2 50000 192.168.1.7 22", "scp me@192.168.1.7:/runs/clock.safetensors ."),
        ("10.0.0.2 50000 192.168.1.7 2222", "scp -P 2222 me@192.168.1.7:/runs/clock.safetensors ."),
        ("fe80::2 50000 fe80::7 22", "scp 'me@[fe80::7]:/runs/clock.safetensors' ."),
        ("", ""),
        ("something else", ""),
    ],
)
def test_under_ssh_a_line_fetches_the_file(connection: str, line: str) -> None:
    environment = {"SSH_CONNECTION": connection, "USER": "me"}
    assert scp_line(Path("/runs/clock.safetensors"), environment) == line


def test_a_folder_is_fetched_whole_and_odd_names_are_quoted(tmp_path: Path) -> None:
    folder = tmp_path / "my model; rm"
    folder.mkdir()
    line = scp_line(folder, {"SSH_CONNECTION": "a 1 b 22", "USER": "me"})
    assert line == f"scp -r 'me@b:{folder}' ."


@pytest.mark.parametrize("method", ["whole", "lora", "loha"])
@pytest.mark.parametrize("known", list(EXPORT_FORMATS.values()), ids=lambda entry: entry.id)
def test_a_files_name_tells_its_format(method: str, known: object) -> None:
    entry = known
    if method in entry.methods:  # type: ignore[attr-defined]
        name = file_name("clock", entry.id, method)  # type: ignore[attr-defined]
        assert format_of(name, method, is_folder=entry.id == "diffusers") == entry.id  # type: ignore[attr-defined]


def test_a_model_and_a_lora_go_into_other_folders_and_the_words_to_type_are_told(tmp_path: Path) -> None:
    config = with_changes(RunConfig(), FACE)
    model = uses(tmp_path / "clock.safetensors", config)
    assert [use.program for use in model] == ["A1111", "Forge", "ComfyUI"]
    assert "models/Stable-diffusion" in model[0].place.text and "a sks dog" in model[0].then.text
    assert "models/checkpoints" in model[2].place.text
    lora = uses(tmp_path / "clock.safetensors", with_changes(config, {"lora.enabled": True}))
    assert "models/Lora" in lora[0].place.text and "<lora:clock:1> a sks dog" in lora[0].then.text
    assert "models/loras" in lora[2].place.text
    (tmp_path / "folder").mkdir()
    assert "from_pretrained" in uses(tmp_path / "folder", config)[0].then.text
    other = uses(tmp_path / "clock-diffusers.safetensors", with_changes(config, {"lora.enabled": True}))
    assert "load_lora_weights" in other[0].then.text


def test_exports_are_listed_the_newest_first_without_those_being_written(tmp_path: Path) -> None:
    import os

    for number, name in enumerate(("a.safetensors", "b.safetensors", ".staging-c")):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (number, number))
    assert [path.name for path in exported_files(tmp_path)] == ["b.safetensors", "a.safetensors"]
    (tmp_path / "a.ckpt.configs.json").touch()
    assert [path.name for path in exported_files(tmp_path)] == ["b.safetensors", "a.safetensors"]
    assert exported_files(tmp_path / "none") == []
