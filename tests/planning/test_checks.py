from __future__ import annotations

from string import Formatter

import pytest

from core.config.findings import Level
from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.planning.checks import check
from core.planning.facts import Facts
from tests.planning.example import card, config, facts, findings, processor


def test_a_run_that_is_in_order_has_no_findings() -> None:
    assert findings() == []
    assert findings({}, facts(machine=card())) == []


def test_an_empty_form_says_what_is_missing_and_nothing_about_what_follows_from_it() -> None:
    errors = [f.code for f in check(RunConfig(), Facts()) if f.level is Level.ERROR]
    assert errors == ["name.missing", "source.none", "pictures.no-directory", "identifier.missing", "class.missing"]


def test_errors_come_first_then_warnings_then_hints() -> None:
    levels = [f.level for f in findings({"model.name": "", "learning_rate.rate": 0.5, "prior_loss.weight": 0.75,
                                         "concepts.0.prior.images_per_instance": 0})]  # fmt: skip
    assert levels == [Level.ERROR, Level.WARNING, Level.HINT]


def test_every_fix_is_a_change_that_the_options_accept_and_every_text_can_be_filled_in() -> None:
    spoiled = {"batch.size": 5, "learning_rate.rate": 0.5, "learning_rate.final_rate": 0.1, "model.resolution": 500,
               "learning_rate.scheduler": "constant", "learning_rate.warmup_steps": 10, "prior_loss.weight": 0.0,
               "performance.text_encoder_rate": 0.1, "intervals.save_every_steps": 10**8, "model.revision": "main",
               "performance.mixed_precision": "fp16", "concepts.0.instance.identifier": "dog",
               "intervals.validate_every_steps": 10**8, "performance.offset_noise": 0.9}  # fmt: skip
    world = facts(free_bytes=10**9, machine=processor(memory=10**9, knows_bf16=False))
    found = findings(spoiled, world)
    assert len(found) > 12
    for finding in found:
        assert "{" not in str(finding.message) and finding.message.code == finding.code
        for fix in finding.fixes:
            assert fix.label.text and "{" not in fix.label.text
            with_changes(config(spoiled), fix.changes)


@pytest.mark.parametrize("caption", ["a {identifier} {class}", "[filewords]", "{identifier}", "a photo of it",
                                     "a zebra dog", "a photo of ohwx dog"])  # fmt: skip
@pytest.mark.parametrize("identifier", ["ohwx", "", "zebra", "dog", "pneumonoultra"])
@pytest.mark.parametrize("noun", ["dog", ""])
def test_no_fix_of_words_or_class_pictures_leads_to_another_error(caption: str, identifier: str, noun: str) -> None:
    instance = "concepts.0.instance"
    said = {f"{instance}.prompt": caption, f"{instance}.identifier": identifier, f"{instance}.class_noun": noun,
            "concepts.0.prior.images_per_instance": 0}  # fmt: skip
    found = findings(said)
    errors = {finding.code for finding in found if finding.level is Level.ERROR}
    for finding in found:
        for fix in finding.fixes:
            after = {f.code for f in findings({**said, **fix.changes}) if f.level is Level.ERROR}
            assert after <= errors, (finding.code, fix.changes)


def test_every_value_in_a_message_is_named_in_its_template() -> None:
    for finding in findings({"batch.size": 5, "concepts.0.instance.identifier": "dog"}):
        names = {name for _, name, _, _ in Formatter().parse(finding.message.english + finding.message.mend) if name}
        assert {name.split("!")[0] for name in names} <= set(finding.message.values)
