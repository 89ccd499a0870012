"""The collector of garbage while a run lives: what stays is looked at once, what has gone is found at the end."""

from __future__ import annotations

import gc
import weakref

import pytest

from core.garbage import OFTEN, LongLived, release


class Knot:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


def knot() -> weakref.ref[Knot]:
    return weakref.ref(Knot())


def is_looked_at(thing: object) -> bool:
    return any(one is thing for one in gc.get_objects())


def test_what_stands_after_a_full_pass_is_not_looked_at_again_until_the_end() -> None:
    callbacks, thresholds = list(gc.callbacks), gc.get_threshold()
    loaded, tied = [object()], knot()
    gc.set_threshold(700, 10, 1000)
    with LongLived() as long_lived:
        assert gc.get_threshold() == OFTEN
        gc.collect()
        assert tied() is None and not is_looked_at(loaded)
        model, tied = [object()], knot()
        long_lived.settle()
        assert gc.get_threshold() == (700, 10, 1000)
        assert tied() is None and not is_looked_at(model)
        drawn = [object()]
        gc.collect()
        assert is_looked_at(drawn)
        long_lived.settle()
        assert is_looked_at(drawn)
        model.append(Knot())
        lost = weakref.ref(model.pop())
        assert lost() is not None
    release()
    gc.set_threshold(*thresholds)
    assert lost() is None
    assert gc.callbacks == callbacks


def test_a_model_that_has_become_garbage_since_it_was_put_aside_is_found_at_the_end() -> None:
    whole = Knot()
    model = weakref.ref(whole)
    with LongLived() as long_lived:
        long_lived.settle()
        del whole
        gc.collect()
        assert model() is not None
    assert model() is not None
    release()
    assert model() is None


def test_thresholds_that_somebody_has_set_meanwhile_are_left_alone() -> None:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 1000)
    with LongLived():
        gc.set_threshold(701, 10, 10)
    assert gc.get_threshold() == (701, 10, 10)
    gc.set_threshold(*before)


def test_a_run_that_fails_leaves_the_collector_as_it_was() -> None:
    callbacks, tied = list(gc.callbacks), None
    with pytest.raises(RuntimeError), LongLived():
        tied = knot()
        raise RuntimeError("no model")
    assert gc.callbacks == callbacks and tied is not None and tied() is None
