"""Options about what a run writes: each is seen in the files or events of a run that asks for it, and not before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors import safe_open

from core.events import Event, Export, Sample
from core.sampling import class_pictures
from core.training.checkpoints import list_checkpoints
from tests.training.asking import Asked, AtStep, run_with
from tests.training.runs import draw_pictures, quick_config, run_to_end

ONCE = {"intervals.max_steps": 2, "intervals.sample_every_steps": 2, "performance.text_encoder_ratio": 0.0}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_pictures(tmp_path_factory.mktemp("data") / "three", 3)


def of(kind: type[Any], events: Sequence[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def previews(folder: Path, source: Path, pictures: Path, **changes: Any) -> list[Sample]:
    return of(Sample, run_to_end(quick_config(source, pictures, **ONCE | changes), folder))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, tiny_sd1: Path, three: Path) -> bytes:
    folder = tmp_path_factory.mktemp("plain")
    (sample,) = previews(folder, tiny_sd1, three)
    return Image.open(folder / sample.path).tobytes()


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("prompt", "a red {identifier} {class}", "a red sks dog"),
        ("negative_prompt", "blurry", "blurry"),
        ("guidance_scale", 2.5, "2.5"),
        ("steps", 4, "4"),
        ("seed", 6, "6"),
    ],
)
def test_a_preview_is_made_as_it_was_asked_for(
    tmp_path: Path, tiny_sd1: Path, three: Path, plain: bytes, option: str, value: Any, told: str
) -> None:
    (sample,) = previews(tmp_path, tiny_sd1, three, **{f"concepts.0.sample.{option}": value})
    with Image.open(tmp_path / sample.path) as picture:
        assert picture.tobytes() != plain
        assert told in " ".join(str(text) for text in picture.info.values())


def test_a_concepts_name_stands_in_its_paths_and_events(tmp_path: Path, tiny_sd1: Path, three: Path) -> None:
    (sample,) = previews(
        tmp_path, tiny_sd1, three, **{"concepts.0.name": "rex", "concepts.0.prior.images_per_instance": 1}
    )
    assert sample.concept == "rex" and Path(sample.path).name.startswith("rex-")
    assert len(list((tmp_path / "class" / "rex").glob("*.png"))) == 3


def test_class_pictures_are_made_as_many_at_a_time_as_was_asked_for(
    tmp_path: Path, tiny_sd1: Path, three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    original = class_pictures.initial_noise

    def noted(model: Any, seeds: Sequence[int], size: int) -> Any:
        sizes.append(len(seeds))
        return original(model, seeds, size)

    monkeypatch.setattr(class_pictures, "initial_noise", noted)
    config = quick_config(tiny_sd1, three, **ONCE, concepts__0__prior__images_per_instance=1,
                          concepts__0__prior__batch_size=2)  # fmt: skip
    run_to_end(config, tmp_path)
    assert sizes == [2, 1]


def exports(folder: Path, source: Path, pictures: Path, **changes: Any) -> list[Export]:
    config = quick_config(
        source, pictures, **{"intervals.max_steps": 2, "performance.text_encoder_ratio": 0.0} | changes
    )
    return of(Export, run_to_end(config, folder))


def test_the_export_has_the_name_that_was_asked_for(tmp_path: Path, tiny_sd1: Path, three: Path) -> None:
    (export,) = exports(tmp_path, tiny_sd1, three, saving__export_when_done=True, saving__export_name="my-dog-final")
    assert Path(export.path).name.startswith("my-dog-final")


def test_an_export_is_in_16_bits_only_where_that_was_asked_for(tmp_path: Path, tiny_sd1: Path, three: Path) -> None:
    kinds = []
    for half in (True, False):
        folder = tmp_path / str(half)
        (export,) = exports(folder, tiny_sd1, three, saving__export_when_done=True, saving__half=half)
        with safe_open(folder / export.path, "pt") as file:
            kinds.append({str(file.get_tensor(name).dtype) for name in file.keys() if name.startswith("model.")})  # noqa: SIM118
    assert kinds == [{"torch.float16"}, {"torch.float32"}]


@pytest.mark.parametrize(("on_save", "count"), [(False, 0), (True, 2)])
def test_each_save_exports_only_where_that_was_asked_for(
    tmp_path: Path, tiny_sd1: Path, three: Path, on_save: bool, count: int
) -> None:
    made = exports(tmp_path, tiny_sd1, three, saving__on_save=on_save, intervals__save_every_steps=1)
    assert len({export.path for export in made}) == count


@pytest.mark.parametrize("on_cancel", [False, True])
def test_a_stopped_run_exports_only_where_that_was_asked_for(
    tmp_path: Path, tiny_sd1: Path, three: Path, on_cancel: bool
) -> None:
    config = quick_config(tiny_sd1, three, intervals__max_steps=50, saving__on_cancel=on_cancel)
    events = run_with(config, tmp_path / "run", AtStep(Asked("stop", "x")))
    assert bool(of(Export, events)) is on_cancel


@pytest.mark.parametrize("kept", [2, 3])
def test_as_many_states_are_kept_as_was_asked_for(tmp_path: Path, tiny_sd1: Path, three: Path, kept: int) -> None:
    exports(tmp_path, tiny_sd1, three, saving__keep_checkpoints=kept, intervals__save_every_steps=1,
            intervals__max_steps=5)  # fmt: skip
    assert len(list_checkpoints(tmp_path / "checkpoints")) == kept


def test_the_variant_that_was_asked_for_is_what_trains(tmp_path: Path, tiny_sd1: Path, three: Path) -> None:
    import shutil

    source = tmp_path / "source"
    shutil.copytree(tiny_sd1, source)
    for file in source.rglob("*.safetensors"):
        file.rename(file.with_suffix(".fp16.safetensors"))
    config = quick_config(source, three, **ONCE, model__variant="fp16")
    assert of(Sample, run_to_end(config, tmp_path / "run"))
