from __future__ import annotations

from pathlib import Path

import pytest

from core.bench.settings import METHOD_CHOICES, Setting, config_of, pictures_of, settings_of
from core.families import FAMILIES
from core.texts import UserError


def test_nothing_asked_for_is_every_family_full_and_lora() -> None:
    found = settings_of((), (), (), ())
    assert [(one.family, one.method, one.batch) for one in found] == [
        (family, method, 1) for family in FAMILIES for method in ("full", "lora")
    ]


def test_every_combination_is_measured_once_and_a_family_at_a_time() -> None:
    variants = ("performance.compile=false", "performance.compile=true performance.attention=xformers")
    found = settings_of(("sd1", "sdxl"), ("full", "lora"), (1, 4, 8), variants)
    assert len(found) == len({setting.title for setting in found}) == 24
    families = [setting.family for setting in found]
    assert families == sorted(families)
    assert found[-1].options == {"performance.compile": "true", "performance.attention": "xformers"}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ((("sd9",), (), (), ()), "bench.unknown"),
        (((), ("half",), (), ()), "bench.unknown"),
        (((), (), (0,), ()), "bench.batch"),
        (((), (), (), ("batch.size=2",)), "bench.option"),
        (((), (), (), ("model.source=demo",)), "bench.option"),
        (((), (), (), ("performance.compile",)), "config.assignment"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is(asked: tuple[tuple[str, ...], ...], code: str) -> None:
    with pytest.raises(UserError) as refused:
        settings_of(*asked)  # type: ignore[arg-type]
    assert refused.value.code == code


@pytest.mark.parametrize("method", METHOD_CHOICES)
def test_the_run_has_the_method_the_batch_and_the_options_of_its_setting(method: str, tmp_path: Path) -> None:
    setting = Setting("sd1", method, 3, {"batch.accumulation": "2", "performance.snr_gamma": "5"})
    config = config_of(setting, tmp_path / "source", tmp_path / "pictures")
    assert (config.lora.enabled, config.batch.size, config.batch.accumulation) == (method != "full", 3, 2)
    assert config.performance.snr_gamma == 5
    if method != "full":
        assert config.method == method
    assert pictures_of(config) % 6 == 0
