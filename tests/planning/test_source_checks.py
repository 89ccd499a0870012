from __future__ import annotations

from pathlib import Path

import pytest

from core.config.findings import Level
from core.families import FAMILIES
from core.families.single_file import Undecided
from core.texts import UserError
from tests.planning.example import codes, facts, found, mended, source


def test_a_source_is_needed() -> None:
    assert found("source.none", {"model.source": ""}, facts(source=None)).level is Level.ERROR


def test_what_is_wrong_with_the_source_is_said_in_its_own_words() -> None:
    problem = UserError("source.html", "{path} is a web page.", path="model.ckpt")
    finding = found("source.html", {}, facts(source=problem))
    assert finding.level is Level.ERROR and finding.field == "model.source"
    assert finding.message.text == "model.ckpt is a web page."


def test_a_source_that_is_still_to_be_downloaded_does_not_keep_the_run_from_starting() -> None:
    problem = UserError("source.not-downloaded", "{source} is not here yet.", source="owner/name")
    assert found("source.not-downloaded", {}, facts(source=problem)).level is Level.HINT


def test_another_family_than_the_weights_is_an_error_that_names_both() -> None:
    world = facts(source=source(family="sdxl"))
    finding = found("family.wrong", {"model.family": "sd1"}, world)
    assert finding.level is Level.ERROR
    assert "sd1" in finding.message.text and "sdxl" in finding.message.text
    assert mended(finding, {"model.family": "sd1"}, world) == [set()]


def test_a_file_that_may_be_of_two_families_asks_which_with_one_fix_each() -> None:
    world = facts(source=Undecided(Path("model.ckpt"), [FAMILIES["sd2-base"], FAMILIES["sd2"]]))
    finding = found("source.undecided", {}, world)
    assert finding.level is Level.ERROR
    assert [fix.changes for fix in finding.fixes] == [{"model.family": "sd2-base"}, {"model.family": "sd2"}]


@pytest.mark.parametrize("option", ["revision", "variant"])
def test_hub_options_of_a_source_on_this_computer_do_nothing(option: str) -> None:
    changes = {f"model.{option}": "fp16"}
    finding = found(f"source.{option}-unused", changes)
    assert finding.level is Level.WARNING
    assert mended(finding, changes) == [set()]
    assert codes(changes, facts(local_source="")) == set()


@pytest.mark.parametrize(("asked", "factor", "sizes"), [(500, 8, [448, 512]), (40, 8, [64]), (72, 2, [64, 80])])
def test_a_resolution_off_the_grid_of_the_networks_is_an_error_with_the_nearest_that_fit(
    asked: int, factor: int, sizes: list[int]
) -> None:
    world = facts(source=source(latent_factor=factor))
    finding = found("resolution.grid", {"model.resolution": asked}, world)
    assert finding.level is Level.ERROR
    assert [fix.changes["model.resolution"] for fix in finding.fixes] == sizes
    assert all("resolution.grid" not in codes(dict(fix.changes), world) for fix in finding.fixes)


def test_the_grid_is_64_px_while_the_source_is_unknown() -> None:
    assert found("resolution.grid", {"model.resolution": 520}, facts(source=None)).level is Level.ERROR
    assert "resolution.grid" not in codes({"model.resolution": 576}, facts(source=None))


def test_a_size_that_the_source_was_not_made_for_is_a_warning() -> None:
    finding = found("resolution.not-native", {"model.resolution": 768})
    assert finding.level is Level.WARNING
    assert mended(finding, {"model.resolution": 768}) == [set()]
    assert codes({"model.resolution": 512}) == set()
