from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config.findings import ConfigError
from core.config.options import RunConfig
from core.config.parsing import parse, parse_leniently, put, read_assignment, value_at, with_changes
from core.config.table import option_table
from core.texts import UserError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SECTIONS = [*RunConfig.model_fields, "btach"]


def refused(raw: dict[str, Any]) -> dict[str, str]:
    """Field → code of everything that is wrong with `raw`."""
    with pytest.raises(ConfigError) as caught:
        parse(raw)
    fields = [finding.field for finding in caught.value.findings]
    assert len(set(fields)) == len(fields)
    return {finding.field: finding.code for finding in caught.value.findings}


def test_a_number_that_was_deleted_is_called_empty() -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"intervals": {"max_steps": ""}})
    assert caught.value.findings[0].message.text.endswith("; it is empty.")


@pytest.mark.parametrize(
    ("path", "typed", "value"),
    [
        ("intervals.epochs", "１０", 10),
        ("concepts.0.sample.count", "２", 2),
        ("prior_loss.weight", "０．５", 0.5),
        ("learning_rate.rate", "１ｅ－６", 1e-6),
        ("learning_rate.warmup_steps", "１０％", "10%"),
        ("model.resolution", "５１２", 512),
    ],
)
def test_a_number_in_full_width_digits_is_one(path: str, typed: str, value: object) -> None:
    assert value_at(with_changes(RunConfig(), {path: typed}), path) == value


def test_what_is_no_number_stays_as_it_was_typed() -> None:
    path = "concepts.0.instance.directory"
    assert value_at(with_changes(RunConfig(), {path: "/图片/２０"}), path) == "/图片/２０"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    raw = {
        "btach": {"size": 2},
        "batch": {"size": 0, "sizes": 1, "accumulation": "two"},
        "learning_rate": {"rate": -1.0, "warmup_steps": "110%"},
        "model": {"name": "../x", "resolution": 7, "family": "sd9"},
    }
    assert refused(raw) == {
        "btach": "config.unknown", "batch.sizes": "config.unknown", "batch.size": "config.value",
        "batch.accumulation": "config.value", "learning_rate.rate": "config.value",
        "learning_rate.warmup_steps": "config.value", "model.name": "config.value",
        "model.resolution": "config.value", "model.family": "config.value",
    }  # fmt: skip


def test_a_wrong_key_in_a_concept_is_one_finding() -> None:
    assert refused({"concepts": [{"instance": {"dir": "x"}}]}) == {"concepts.0.instance.dir": "config.unknown"}
    assert refused({"concepts": [{}, {"prior": {"steps": 0}}]}) == {"concepts.1.prior.steps": "config.value"}


@pytest.mark.parametrize(
    ("concepts", "field", "code"),
    [([], "concepts", "config.concept-missing"),
     ({"a": 1}, "concepts", "config.type"), ([3], "concepts.0", "config.type"),
     ("dog", "concepts", "config.type")],
)  # fmt: skip
def test_concepts_that_are_no_list_of_tables_are_one_finding(concepts: Any, field: str, code: str) -> None:
    assert refused({"concepts": concepts}) == {field: code}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", [option.path for option in option_table() if option.type == "number"])
def test_no_option_takes_a_number_that_is_none(field: str, value: float) -> None:
    raw: dict[str, Any] = {"concepts": [{}]}
    put(raw, field.replace("*", "0"), value)
    assert refused(raw) == {field.replace("*", "0"): "config.value"}


@pytest.mark.parametrize(
    ("field", "value"),
    [("batch.size", True), ("batch.size", 1.5), ("batch.size", "2"), ("saving.half", "yes"), ("saving.half", 1),
     ("model.source", 5), ("learning_rate.rate", "1e-6"), ("model.resolution", True), ("batch.size", None)],
)  # fmt: skip
def test_types_in_a_file_are_taken_strictly(field: str, value: Any) -> None:
    raw: dict[str, Any] = {}
    put(raw, field, value)
    assert refused(raw) == {field: "config.value"}


def test_a_whole_number_is_taken_where_a_number_is_asked() -> None:
    assert parse({"prior_loss": {"weight": 1}}).prior_loss.weight == 1.0


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".", "-x", "a\n", "a\0", "~", "é", "x" * 65, "a b"])
def test_names_that_could_leave_the_home_are_refused(name: str) -> None:
    assert refused({"model": {"name": name}}) == {"model.name": "config.value"}
    assert refused({"concepts": [{"name": name}]}) == {"concepts.0.name": "config.value"}


@given(st.dictionaries(st.sampled_from(SECTIONS), JSON, max_size=4))
@settings(max_examples=200, deadline=None)
def test_whatever_stands_in_a_file_is_a_configuration_or_a_list_of_findings(raw: dict[str, Any]) -> None:
    try:
        assert isinstance(parse(raw), RunConfig)
    except ConfigError as error:
        assert error.findings and all(str(finding.message) for finding in error.findings)
    config, findings = parse_leniently(raw)
    assert isinstance(config, RunConfig) and all(finding.level == "error" for finding in findings)


def test_a_form_takes_texts_as_numbers_and_keeps_the_default_where_one_is_wrong() -> None:
    config, findings = parse_leniently({"batch": {"size": "4", "accumulation": "many"}, "saving": {"half": "false"}})
    assert (config.batch.size, config.batch.accumulation, config.saving.half) == (4, 1, False)
    assert [finding.field for finding in findings] == ["batch.accumulation"]


def test_a_concept_that_is_no_table_does_not_cost_the_rest_of_the_form() -> None:
    config, findings = parse_leniently({"batch": {"size": 4}, "concepts": [3]})
    assert config.batch.size == 4 and [finding.field for finding in findings] == ["concepts.0"]


def test_changes_reach_one_option_and_no_other() -> None:
    config = with_changes(RunConfig(), {"batch.size": "3", "concepts.0.sample.count": 2})
    assert (value_at(config, "batch.size"), value_at(config, "concepts.0.sample.count")) == (3, 2)
    assert with_changes(config, {"batch.size": 1, "concepts.0.sample.count": 1}) == RunConfig()


def test_a_change_may_add_the_next_concept_and_no_later_one() -> None:
    assert len(with_changes(RunConfig(), {"concepts.1.instance.class_noun": "cat"}).concepts) == 2
    with pytest.raises(UserError, match="There is no concept 2"):
        with_changes(RunConfig(), {"concepts.2.instance.class_noun": "cat"})


def test_an_assignment_is_a_known_option_an_equals_sign_and_anything() -> None:
    assert read_assignment("concepts.0.instance.prompt = a=b ") == ("concepts.0.instance.prompt", "a=b")
    for wrong in ("batch.size", "batch.sizes=2", "=2"):
        with pytest.raises(UserError):
            read_assignment(wrong)


@pytest.mark.parametrize(
    ("instance", "offered"),
    [
        ({"identifier": "sks", "class_noun": "alarm clock"}, "sks-alarm-clock"),
        ({"identifier": "我的", "class_noun": "clock"}, "clock"),
        ({"identifier": "我的", "class_noun": "钟"}, "run-1"),
        ({}, "run-1"),
    ],
)
def test_a_name_that_cannot_be_used_comes_with_one_that_can(instance: dict[str, str], offered: str) -> None:
    raw = {"model": {"name": "我的钟"}, "concepts": [{"instance": instance}]}
    _, findings = parse_leniently(raw)
    (wrong,) = [finding for finding in findings if finding.field == "model.name"]
    assert [dict(fix.changes) for fix in wrong.fixes] == [{"model.name": offered}]


def test_the_middle_may_be_written_the_american_way() -> None:
    assert with_changes(RunConfig(), {"images.crop": "center"}).images.crop == "centre"
    assert parse({"images": {"crop": "center"}}).images.crop == "centre"
