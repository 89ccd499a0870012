"""Which of several processes this one is, as launchers say it."""

from __future__ import annotations

import pytest

from core.place import ALONE, Place, place_in
from core.texts import UserError

TORCHRUN = {
    "RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4", "MASTER_ADDR": "node-0",
    "MASTER_PORT": "29500", "TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "2",
}  # fmt: skip


def test_what_torchs_launcher_says_is_the_place() -> None:
    expected = Place(5, 8, 1, 4, "node-0", 29500, attempt="2", launched=True, store_is_theirs=True)
    assert place_in(TORCHRUN) == expected


def test_a_place_tells_another_process_its_own() -> None:
    place = Place(1, 2, 1, 2, port=4000)
    found = place_in(place.variables())
    assert (found.rank, found.count, found.local_rank, found.local_count, found.port) == (1, 2, 1, 2, 4000)


@pytest.mark.parametrize(
    "environment", [{}, {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}, TORCHRUN | {"WORLD_SIZE": "1"}]
)
def test_without_a_launcher_of_several_a_process_is_alone(environment: dict[str, str]) -> None:
    assert place_in(environment) is ALONE


@pytest.mark.parametrize(("environment", "named"), [
    ({"RANK": "1"}, "WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT are"),
    ({name: value for name, value in TORCHRUN.items() if name != "MASTER_PORT"}, "MASTER_PORT is"),
    (TORCHRUN | {"LOCAL_RANK": "first"}, "LOCAL_RANK is"),
])  # fmt: skip
def test_half_a_place_is_refused_with_what_is_missing_and_the_flags_that_set_it(
    environment: dict[str, str], named: str
) -> None:
    with pytest.raises(UserError, match=named) as refused:
        place_in(environment)
    assert "--main_process_ip" in refused.value.message.advice
    assert "--nproc_per_node" in refused.value.message.advice


def test_a_launcher_that_wants_the_model_cut_into_parts_is_refused() -> None:
    with pytest.raises(UserError, match="FSDP"):
        place_in(TORCHRUN | {"ACCELERATE_USE_FSDP": "true"})
