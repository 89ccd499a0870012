"""A path with a typing error is told from what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.data.scan import scan
from core.families.describe import describe
from core.nearby import nearest
from core.texts import UserError


@pytest.fixture
def world(tmp_path: Path) -> Path:
    (tmp_path / "Pictures" / "my-dog").mkdir(parents=True)
    (tmp_path / "Pictures" / "holidays").mkdir()
    (tmp_path / "Pictures" / "my-dogs.txt").touch()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "sd15.safetensors").touch()
    (tmp_path / "models" / "sd15.txt").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("Pictures/my-dgo", "Pictures/my-dog"), ("pictres/my_dog", "Pictures/my-dog"),
     ("Pictures/MY-DOG", "Pictures/my-dog"), ("Pictures/cats", None),
     ("elsewhere/my-dog", None), ("Pictures/my-dog", None)],
)  # fmt: skip
def test_each_part_of_a_path_is_put_right_where_something_near_is_there(
    world: Path, typed: str, meant: str | None
) -> None:
    assert nearest(world / typed) == (world / meant if meant else None)


def test_a_folder_that_is_not_there_names_the_one_beside_it(world: Path) -> None:
    with pytest.raises(UserError, match=r"Did you mean .*/my-dog\?") as raised:
        scan(world / "Pictures" / "my-dgo", decode=False)
    assert (
        raised.value.code == "pictures.missing" and raised.value.message.values["near"] == world / "Pictures" / "my-dog"
    )


def test_a_model_that_is_not_there_names_the_weights_beside_it_and_no_other_file(world: Path) -> None:
    with pytest.raises(UserError, match=r"Did you mean .*sd15\.safetensors\?") as raised:
        describe(str(world / "models" / "sd51.safetensor"))
    assert raised.value.message.values["near"] == world / "models" / "sd15.safetensors"
    with pytest.raises(UserError) as other:
        describe(str(world / "models" / "flux"))
    assert "near" not in other.value.message.values


def test_a_folder_that_cannot_be_listed_has_nothing_near(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", refuse)
    assert nearest(world / "Pictures" / "my-dgo") is None


def test_a_folder_whose_name_is_the_embedded_models_is_not_meant(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world)
    (world / "demo").mkdir()
    with pytest.raises(UserError) as raised:
        describe("./demos")
    assert "near" not in raised.value.message.values
