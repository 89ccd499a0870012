"""The demo's run: in order by every check, counted in seconds, and without class pictures if one so wishes."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config.findings import Level
from core.config.options import PriorLossOptions, PriorOptions, RunConfig
from core.config.parsing import with_changes
from core.config.presets import built_in_presets, load_presets
from core.demo.preset import chosen, demo_preset
from core.demo.run import demo_config, make_demo_run
from core.planning.checks import check
from core.planning.plan import make_plan
from core.planning.survey import survey
from core.texts import UserError


@pytest.mark.parametrize("prior", [True, False])
def test_the_checks_find_nothing_to_warn_of(stand_in: Path, tmp_path: Path, prior: bool) -> None:
    config = demo_config("demo", prior=prior)
    findings = check(config, survey(config, tmp_path, decode=True))
    assert [finding.code for finding in findings if finding.level is not Level.HINT] == []


def test_it_is_counted_in_seconds(stand_in: Path, tmp_path: Path) -> None:
    config = demo_config("demo")
    plan = make_plan(config, survey(config, tmp_path, decode=False))
    assert plan is not None
    assert (plan.steps, plan.images_per_step) == (300, 3)
    assert plan.class_wanted <= 18 and config.concepts[0].prior.steps <= 15 and config.concepts[0].sample.steps <= 15
    assert config.concepts[0].sample.with_class and config.intervals.sample_at_start


def test_without_prior_nothing_of_it_is_left() -> None:
    config = demo_config("demo", prior=False)
    assert (config.concepts[0].prior, config.prior_loss) == (PriorOptions(), PriorLossOptions())
    same = demo_config("demo").model_copy(update={"concepts": config.concepts, "prior_loss": config.prior_loss})
    assert same == config, "everything else is as it is with it"


def test_each_demo_is_a_run_of_its_own(tmp_path: Path) -> None:
    names = [make_demo_run(tmp_path, "test", prior=number != 1).name for number in range(3)]
    assert names == ["demo", "demo-2", "demo-3"]


def test_a_folder_of_its_name_that_is_no_run_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "runs" / "demo").mkdir(parents=True)
    assert make_demo_run(tmp_path, "0").name == "demo-2"


def test_a_home_that_cannot_be_written_to_ends_it_at_once(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(UserError):
        make_demo_run(tmp_path / "home", "test")


def test_its_numbers_go_over_every_preset_where_the_source_is_the_demo() -> None:
    mine = with_changes(RunConfig(), {"learning_rate.rate": 2e-6})
    assert chosen(mine, source="/models/sd15") == mine
    assert chosen(mine, source="./demo") == mine
    assert chosen(mine, source="demo").learning_rate.rate == demo_preset().values["learning_rate.rate"]


@pytest.mark.parametrize("lora", [False, True], ids=["whole", "lora"])
@pytest.mark.parametrize("name", built_in_presets())
def test_a_preset_keeps_what_it_is_about_on_the_demo_too(stand_in: Path, tmp_path: Path, name: str, lora: bool) -> None:
    preset, of_demo = built_in_presets()[name], demo_preset().values
    numbers = chosen(RunConfig(), preset, source="demo", family="sd1", lora=lora)
    ratio, images = "performance.text_encoder_ratio", "concepts.*.prior.images_per_instance"
    assert numbers.performance.text_encoder_ratio == preset.values.get(ratio, of_demo[ratio])
    assert numbers.concepts[0].prior.images_per_instance == preset.values.get(images, of_demo[images])
    assert numbers.learning_rate.rate == of_demo["learning_rate.rate"]
    assert numbers.intervals.epochs == of_demo["intervals.epochs"]
    subject = demo_config("toy").concepts[0].instance
    config = with_changes(numbers, {
        "model.name": "toy", "model.source": "demo", "lora.enabled": lora,
        "concepts.0.instance.directory": subject.directory, "concepts.0.instance.identifier": subject.identifier,
        "concepts.0.instance.class_noun": subject.class_noun,
    })  # fmt: skip
    findings = check(config, survey(config, tmp_path, decode=False))
    assert [finding.code for finding in findings if finding.level is not Level.HINT] == []


def test_it_is_no_preset_to_choose() -> None:
    assert "demo" not in load_presets(None).known
