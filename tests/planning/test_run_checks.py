from __future__ import annotations

from pathlib import Path

from core.config.findings import Level
from core.planning.survey import survey
from core.texts import UserError
from tests.planning.example import codes, config, facts, found, mended


def test_a_name_is_needed_and_one_is_proposed() -> None:
    finding = found("name.missing", {"model.name": ""})
    assert finding.level is Level.ERROR and finding.field == "model.name"
    assert finding.fixes[0].changes == {"model.name": "ohwx-dog"}
    assert mended(finding, {"model.name": ""}) == [set()]


def test_a_name_in_use_is_refused_with_both_ways_to_go_on() -> None:
    world = facts(names_in_use=frozenset({"my-dog", "my-dog-2"}))
    finding = found("name.in-use", {}, world)
    assert finding.level is Level.ERROR
    assert "dbtui train my-dog --resume" in finding.message.advice
    assert "in the list of runs r, once it is done l" in finding.message.advice and "epochs" in finding.message.advice
    assert finding.fixes[0].changes == {"model.name": "my-dog-3"}
    assert mended(finding, {}, world) == [set()]


def test_a_folder_without_a_run_in_it_is_no_run_to_go_on_with(tmp_path: Path) -> None:
    (tmp_path / "runs" / "my-dog" / "class").mkdir(parents=True)
    (tmp_path / "runs" / "cat").mkdir()
    (tmp_path / "runs" / "cat" / "run.toml").touch()
    seen = survey(config(), tmp_path, decode=False)
    assert (seen.names_in_use, seen.not_runs) == ({"my-dog", "cat"}, {"my-dog"})
    finding = found("name.no-run", {}, facts(names_in_use=seen.names_in_use, not_runs=seen.not_runs))
    assert finding.level is Level.ERROR and "--resume" not in finding.message.advice
    assert finding.fixes[0].changes == {"model.name": "my-dog-2"}


def test_a_proposed_name_fits_even_where_the_name_in_use_is_as_long_as_can_be() -> None:
    name = "n" * 64
    world = facts(names_in_use=frozenset({name}))
    finding = found("name.in-use", {"model.name": name}, world)
    assert mended(finding, {"model.name": name}, world) == [set()]


def test_a_home_that_cannot_be_written_is_an_error_with_its_reason() -> None:
    problem = UserError("disk.read-only", "{where} cannot be written to.", where="/home/x")
    finding = found("disk.read-only", {}, facts(home_problem=problem))
    assert finding.level is Level.ERROR and finding.field == ""


def test_concepts_of_one_name_would_share_a_folder() -> None:
    changes = {"concepts.0.name": "Dog", "concepts.1.name": "dog"}
    finding = found("concept.same-name", changes, concepts=2)
    assert finding.level is Level.ERROR and finding.field == "concepts.1.name"
    assert "concept.same-name" not in codes(changes | dict(finding.fixes[0].changes), concepts=2)


def test_export_options_without_any_export_are_said_to_do_nothing() -> None:
    off = {"saving.export_when_done": False, "saving.on_cancel": False}
    finding = found("export.never", off)
    assert finding.level is Level.WARNING
    assert mended(finding, off) == [set()]
    assert "export.never" not in codes(off | {"saving.on_save": True})


def test_the_name_after_run_1_is_the_next_number() -> None:
    world = facts(names_in_use=frozenset({"run-1", "run-2"}))
    nothing = {"model.name": "", "concepts.0.instance.identifier": "", "concepts.0.instance.class_noun": ""}
    assert [fix.changes for fix in found("name.missing", nothing, world).fixes] == [{"model.name": "run-3"}]
