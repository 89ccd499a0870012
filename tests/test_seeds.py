from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from core.seeds import derive, fresh_seed, generator, picture_seed

PARTS = st.tuples(
    st.integers(0, 2**32 - 1), st.sampled_from(["noise", "flip", "x"]), st.integers(0, 9), st.integers(0, 9)
)


@given(PARTS, PARTS)
def test_a_seed_depends_on_all_four_parts_and_on_nothing_else(first: tuple, second: tuple) -> None:  # type: ignore[type-arg]
    assert (derive(*first) == derive(*second)) == (first == second)
    assert 0 <= derive(*first) < 2**63


def test_neighbouring_parts_do_not_run_into_each_other() -> None:
    assert derive(1, "noise", 12, 3) != derive(1, "noise", 1, 23)
    assert derive(11, "noise") != derive(1, "1noise")


def test_seeds_are_the_same_in_every_process_and_version() -> None:
    """A run that is resumed by a later version draws on: these numbers may never change."""
    assert (derive(7, "noise", 3, 1), picture_seed(7, "class", 3)) == (7788777176064912662, 74743888)


def test_picture_seeds_fit_into_32_bits_and_differ() -> None:
    seeds = [picture_seed(5, "class", index) for index in range(2000)]
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert len(set(seeds)) == len(seeds)


def test_fresh_seeds_fit_into_32_bits_and_differ() -> None:
    seeds = {fresh_seed() for _ in range(50)}
    assert len(seeds) > 45 and all(0 <= seed < 2**32 for seed in seeds)


def test_a_generator_gives_its_slots_numbers_whatever_was_drawn_before() -> None:
    first = torch.randn(4, generator=generator(1, "noise", 2, 3))
    torch.randn(100, generator=generator(1, "noise", 2, 2))
    assert torch.equal(first, torch.randn(4, generator=generator(1, "noise", 2, 3)))
    assert not torch.equal(first, torch.randn(4, generator=generator(1, "noise", 2, 4)))


def test_the_global_generator_is_neither_read_nor_moved() -> None:
    before = torch.get_rng_state()
    torch.randn(4, generator=generator(1, "noise"))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(0)
    one = torch.randn(4, generator=generator(1, "noise"))
    torch.manual_seed(1)
    assert torch.equal(one, torch.randn(4, generator=generator(1, "noise")))
    torch.set_rng_state(before)
