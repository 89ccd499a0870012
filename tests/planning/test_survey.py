from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.data.scan import Scan
from core.families.describe import SourceDescription
from core.planning.checks import check
from core.planning.plan import make_plan
from core.planning.survey import survey
from core.texts import UserError


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(4):
        Image.new("RGB", (64, 64), (60 * number, 0, 0)).save(folder / f"{number}_a dog.png")
    return folder


def config_of(pictures: Path, **changes: object) -> RunConfig:
    values = {"model.name": "dog", "concepts.0.instance.directory": str(pictures), "model.source": "",
              "concepts.0.instance.identifier": "ohwx", "concepts.0.instance.class_noun": "dog"}  # fmt: skip
    return with_changes(RunConfig(), values | {key.replace("__", "."): value for key, value in changes.items()})


def test_a_run_that_is_in_order_on_a_real_disk_has_no_errors(tmp_path: Path, pictures: Path, tiny_sd1: Path) -> None:
    config = config_of(pictures, model__source=str(tiny_sd1))
    facts = survey(config, tmp_path / "home", decode=True)
    assert isinstance(facts.source, SourceDescription)
    errors = [finding.message.text for finding in check(config, facts) if finding.level == "error"]
    assert errors == []
    plan = make_plan(config, facts)
    assert plan is not None and plan.steps == 400 and plan.checkpoint_bytes and plan.memory_bytes


def test_a_picture_cut_short_is_found_by_decoding_it(tmp_path: Path, pictures: Path) -> None:
    noise = Image.effect_noise((200, 200), 90).convert("RGB")
    noise.save(pictures / "cut.jpg")
    content = (pictures / "cut.jpg").read_bytes()
    (pictures / "cut.jpg").write_bytes(content[: len(content) // 2])
    config = config_of(pictures)
    decoded = check(config, survey(config, tmp_path, decode=True))
    assert any("cut.jpg" in finding.message.text and finding.level == "error" for finding in decoded)


@pytest.mark.parametrize("chosen", ["", "home", "home/runs"])
def test_a_folder_that_holds_the_runs_is_none_of_pictures(tmp_path: Path, pictures: Path, chosen: str) -> None:
    (tmp_path / "home" / "runs" / "cat" / "tensorboard").mkdir(parents=True)
    (tmp_path / "home" / "runs" / "cat" / "tensorboard" / "events.tfevents").write_bytes(b"0")
    config = config_of(tmp_path / chosen)
    found = [finding for finding in check(config, survey(config, tmp_path / "home", decode=False))
             if finding.field == "concepts.0.instance.directory"]  # fmt: skip
    assert [finding.code for finding in found] == ["pictures.runs-within"]
    assert str(tmp_path / "home" / "runs") in found[0].message.text


def test_runs_in_a_hidden_folder_are_not_read_and_so_in_nobodys_way(tmp_path: Path, pictures: Path) -> None:
    (tmp_path / ".dbtui" / "runs").mkdir(parents=True)
    facts = survey(config_of(tmp_path), tmp_path / ".dbtui", decode=False)
    assert isinstance(facts.scans[0], Scan)


def test_what_cannot_be_read_is_a_fact_and_no_exception(tmp_path: Path) -> None:
    config = config_of(tmp_path / "nowhere", model__source="/no/such/model", concepts__0__prior__directory="a\0b")
    facts = survey(config, tmp_path, decode=False)
    assert isinstance(facts.scans[0], UserError) and isinstance(facts.source, UserError)
    assert isinstance(facts.prior_scans[0], UserError)
    assert check(config, facts)


@pytest.mark.parametrize("route", ["link", "dots", "same"])
def test_the_class_folder_is_recognised_through_links_and_dots(tmp_path: Path, pictures: Path, route: str) -> None:
    (tmp_path / "link").symlink_to(pictures)
    ways = {"link": tmp_path / "link", "dots": pictures / ".." / "pictures", "same": pictures}
    config = config_of(pictures, concepts__0__prior__directory=str(ways[route]),
                       concepts__0__prior__images_per_instance=2)  # fmt: skip
    codes = {finding.code for finding in check(config, survey(config, tmp_path, decode=False))}
    assert "class.same-folder" in codes


def test_a_run_that_is_resumed_keeps_its_name_and_its_class_pictures(tmp_path: Path, pictures: Path) -> None:
    made = tmp_path / "runs" / "dog" / "class" / "dog"
    made.mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(made / "0.png")
    (tmp_path / "runs" / "dog" / "run.toml").touch()
    config = config_of(pictures, concepts__0__prior__images_per_instance=1)
    fresh, again = (survey(config, tmp_path, decode=False, resuming=resuming) for resuming in (False, True))
    assert "name.in-use" in {finding.code for finding in check(config, fresh)}
    assert "name.in-use" not in {finding.code for finding in check(config, again)}
    held = again.prior_scans[0]
    assert fresh.prior_scans == (None,) and isinstance(held, Scan) and len(held.pictures) == 1
    assert again.held_bytes > 0 and fresh.held_bytes == 0


def test_words_of_caption_files_are_read(tmp_path: Path, pictures: Path) -> None:
    (pictures / "0_a dog.txt").write_text("a dog on grass")
    (pictures / "1_a dog.txt").write_bytes(b"\xff\xfe")
    words = survey(config_of(pictures), tmp_path, decode=False).words
    assert words[pictures / "0_a dog.png"] == "a dog on grass"
    assert isinstance(words[pictures / "1_a dog.png"], UserError)
    assert words[pictures / "2_a dog.png"] == "a dog"


def test_a_home_that_is_a_file_is_a_problem(tmp_path: Path, pictures: Path) -> None:
    (tmp_path / "home").write_text("")
    assert survey(config_of(pictures), tmp_path / "home", decode=False).home_problem is not None


def test_a_path_in_the_home_of_nobody_is_a_fact_and_no_exception(tmp_path: Path) -> None:
    config = config_of(Path("~nobody-of-this-name/pictures"), model__source="~nobody-of-this-name/model")
    facts = survey(config, tmp_path, decode=False)
    assert isinstance(facts.scans[0], UserError) and isinstance(facts.source, UserError)
