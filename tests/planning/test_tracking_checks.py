"""What a run may not start with where figures go elsewhere."""

from __future__ import annotations

import pytest

from core.config.findings import Level
from tests.planning.example import codes, facts, found, mended

WANDB = {"tracking.wandb_project": "dogs"}


@pytest.mark.parametrize(
    ("changes", "module", "code"),
    [({}, "tensorboard", "tracking.tensorboard-missing"), (WANDB, "wandb", "tracking.wandb-missing")],
)
def test_a_missing_library_is_an_error_that_switching_off_mends(
    changes: dict[str, str], module: str, code: str
) -> None:
    world = facts(missing_modules=frozenset({module}))
    finding = found(code, changes, world)
    assert finding.level is Level.ERROR
    assert all(code not in left for left in mended(finding, changes, world))
    assert code not in codes(changes)


def test_nobody_signed_in_is_an_error_before_the_run() -> None:
    world = facts(signed_in=False)
    finding = found("tracking.signed-out", WANDB, world)
    assert finding.level is Level.ERROR and "wandb login" in finding.message.advice
    assert "tracking.signed-out" not in codes({}, world), "nothing is sent: nobody has to be"


def test_a_projects_name_that_the_service_refuses_is_an_error() -> None:
    assert "tracking.wandb-name" in codes({"tracking.wandb_project": "my/dogs"})
    assert "tracking.wandb-name" not in codes({"tracking.wandb_project": "my dogs"})
