from __future__ import annotations

from typing import Any

import pytest

from core.config.findings import Level
from core.config.options import RunConfig
from core.config.parsing import with_changes
from tests.planning.example import codes, facts, findings, found, mended, scan_of, source

NO_CLASS = {"concepts.0.prior.images_per_instance": 0}


@pytest.mark.parametrize("rate", [2e-4, 1.0])
def test_a_rate_that_breaks_a_whole_model_is_a_warning(rate: float) -> None:
    finding = found("rate.high", {"learning_rate.rate": rate})
    assert finding.level is Level.WARNING
    assert mended(finding, {"learning_rate.rate": rate}) == [set()]


def test_a_rate_that_teaches_nothing_is_a_warning() -> None:
    assert found("rate.low", {"learning_rate.rate": 1e-9}).level is Level.WARNING


@pytest.mark.parametrize("rate", [1e-8, 1e-6, 5e-6, 1e-4])
def test_usual_rates_are_fine(rate: float) -> None:
    assert codes({"learning_rate.rate": rate}) == set()


def test_a_small_model_takes_a_hundred_times_the_rate() -> None:
    small = facts(source=source(parameters={"unet": 9_000_000, "vae": 2_600_000, "text_encoder": 5_000_000}))
    assert codes({"learning_rate.rate": 2e-4}, world=small) == set()
    for rate in (1e-6, 0.01):
        changes = {"learning_rate.rate": rate}
        (finding,) = (finding for finding in findings(changes, world=small) if finding.code.startswith("rate."))
        assert mended(finding, changes, world=small) == [set()]


def test_the_text_encoders_own_rate_is_looked_at_too() -> None:
    changes = {"performance.text_encoder_rate": 0.01, "performance.text_encoder_ratio": 0.5}
    assert found("rate.high", changes).field == "performance.text_encoder_rate"


def test_a_final_rate_needs_a_scheduler_that_falls() -> None:
    changes = {"learning_rate.final_rate": 1e-7}
    finding = found("rate.final-unused", changes)
    assert finding.level is Level.WARNING
    assert mended(finding, changes) == [set()] * len(finding.fixes)
    assert codes(changes | {"learning_rate.scheduler": "cosine"}) == set()


def test_a_final_rate_above_the_rate_would_rise() -> None:
    changes = {"learning_rate.final_rate": 1e-5, "learning_rate.scheduler": "cosine"}
    assert mended(found("rate.final-high", changes), changes) == [set()]


def test_a_warm_up_needs_a_scheduler_that_warms_up() -> None:
    changes = {"learning_rate.warmup_steps": "10%", "learning_rate.scheduler": "constant"}
    finding = found("warmup.unused", changes)
    assert finding.level is Level.WARNING
    assert finding.fixes[0].changes == {"learning_rate.scheduler": "constant_with_warmup"}
    assert mended(finding, changes) == [set(), set()]


def test_a_rate_for_a_text_encoder_that_never_trains_does_nothing() -> None:
    finding = found("text-encoder.rate-unused", {"performance.text_encoder_rate": 1e-6})
    assert mended(finding, {"performance.text_encoder_rate": 1e-6}) == [set()]
    assert codes({"performance.text_encoder_rate": 1e-6, "performance.text_encoder_ratio": 0.5}) == set()


def test_a_ratio_that_makes_less_than_one_step_trains_nothing() -> None:
    changes = {"performance.text_encoder_ratio": 0.0001}
    assert mended(found("text-encoder.never", changes), changes) == [set()]


def test_class_pictures_without_a_weight_are_without_effect() -> None:
    finding = found("prior.no-weight", {"prior_loss.weight": 0.0})
    assert finding.level is Level.WARNING
    assert mended(finding, {"prior_loss.weight": 0.0}) == [set(), set()]


def test_prior_preservation_that_is_off_is_a_hint_and_a_chosen_weight_without_class_pictures_a_warning() -> None:
    hint = found("prior.off", NO_CLASS)
    assert hint.level is Level.HINT and mended(hint, NO_CLASS) == [set()]
    chosen = NO_CLASS | {"prior_loss.weight": 0.5}
    warning = found("prior.weight-unused", chosen)
    assert warning.level is Level.WARNING and mended(warning, chosen) == [set()]
    assert codes(NO_CLASS | {"prior_loss.weight": 0.0}) == set()


@pytest.mark.parametrize(
    ("option", "value"),
    [("directory", "/class"), ("prompt", "a dog"), ("negative_prompt", "blur"), ("guidance_scale", 5.0), ("steps", 30),
     ("batch_size", 4)],
)  # fmt: skip
def test_options_of_class_pictures_that_are_not_made_do_nothing(option: str, value: Any) -> None:
    changes = NO_CLASS | {f"concepts.0.prior.{option}": value}
    finding = found("class.options-unused", changes)
    assert finding.level is Level.WARNING and finding.field == f"concepts.0.prior.{option}"
    assert all("class.options-unused" not in left for left in mended(finding, changes))


def test_generation_options_do_nothing_where_there_are_enough_class_pictures() -> None:
    changes = {"concepts.0.prior.directory": "/class", "concepts.0.prior.steps": 30}
    assert found("class.enough", changes, facts(prior_scans=(scan_of(24),))).level is Level.HINT
    assert codes(changes, facts(prior_scans=(scan_of(23),))) == set()


def test_what_nobody_has_chosen_is_not_told_to_do_nothing() -> None:
    brought = {"concepts.0.prior.steps": 12, "performance.text_encoder_rate": 1e-6}
    there = facts(prior_scans=(scan_of(24),), brought=with_changes(RunConfig(), brought))
    enough = {"concepts.0.prior.directory": "/class"}
    assert not there.is_brought(RunConfig(), "concepts.1.prior.steps"), "of a concept that was not there then"
    assert codes(brought | enough, there) == set()
    assert codes(brought | enough | {"concepts.0.prior.steps": 30}, there) == {"class.enough"}
    assert codes(brought | NO_CLASS, there) == {"prior.off"}
    assert codes(brought | NO_CLASS | {"concepts.0.prior.steps": 30}, there) == {"class.options-unused", "prior.off"}


def test_much_offset_noise_is_a_warning() -> None:
    finding = found("offset-noise.high", {"performance.offset_noise": 0.5})
    assert mended(finding, {"performance.offset_noise": 0.5}) == [set()]
    assert codes({"performance.offset_noise": 0.1}) == set()


def test_options_of_a_scheduler_that_does_not_take_them_do_nothing() -> None:
    for name, value, takes in (("cycles", 3, "cosine_with_restarts"), ("power", 2.0, "polynomial")):
        changes = {f"learning_rate.{name}": value}
        finding = found("scheduler.option-unused", changes)
        assert finding.field == f"learning_rate.{name}" and mended(finding, changes) == [set(), set()]
        assert codes(changes | {"learning_rate.scheduler": takes}) == set()


@pytest.mark.parametrize(("optimizer", "rate"), [("lion", 2e-7), ("lion_8bit", 1e-6), ("prodigy", 1.0)])
def test_a_usual_rate_is_that_of_the_optimizer(optimizer: str, rate: float) -> None:
    assert codes({"performance.optimizer": optimizer, "learning_rate.rate": rate}) == set()
    assert codes({"performance.optimizer": optimizer}) == set(), "auto"
    far = {"performance.optimizer": optimizer, "learning_rate.rate": 5e-5 if optimizer != "prodigy" else 1e-6}
    (finding,) = (finding for finding in findings(far) if finding.code.startswith("rate."))
    assert mended(finding, far) == [set()]


def test_a_scaled_prior_loss_needs_class_pictures_a_minimum_below_it_and_a_target_in_the_run() -> None:
    scaled = {"prior_loss.scaled": True}
    assert codes(scaled) == set()
    unused = NO_CLASS | scaled
    assert "prior.scaled-unused" not in mended(found("prior.scaled-unused", unused), unused)[0]
    high = scaled | {"prior_loss.minimum": 0.75}
    assert mended(found("prior.minimum-high", high), high) == [set(), {"prior.not-scaled"}]
    late = scaled | {"prior_loss.target_epoch": 101}
    finding = found("prior.target-late", late)
    assert finding.level is Level.HINT and mended(finding, late) == [set()]


@pytest.mark.parametrize(("option", "value"), [("minimum", 0.2), ("target_epoch", 50)])
def test_options_of_a_prior_loss_that_is_not_scaled_do_nothing(option: str, value: float) -> None:
    changes = {f"prior_loss.{option}": value}
    finding = found("prior.not-scaled", changes)
    assert finding.level is Level.WARNING and mended(finding, changes) == [set(), set()]
