"""How long a run will take once its turn comes."""

from __future__ import annotations

from core.planning.duration import estimate
from core.planning.plan import make_plan
from core.planning.survey import survey
from core.runs.folder import Run, saved_steps
from core.runs.history import Summary
from core.runs.pace import former_paces
from core.texts import UserError


def takes(run: Run, seen: Summary, *, lengthened: bool = False) -> float | None:
    """Seconds from its newest saved state to its end: by its own pace, else by that of former runs; `None` where
    neither is known. Its own does not count the rest of one that was `lengthened`.
    """
    saved, left = max(saved_steps(run.path), default=0), seen.total - seen.step
    if seen.seconds_left is not None and left > 0 and not lengthened:
        return seen.seconds_left * (seen.total - saved) / left
    try:
        config = run.config()
        facts = survey(config, run.home, decode=False, resuming=True)
    except UserError:  # its training says it
        return None
    plan = make_plan(config, facts)
    whole = estimate(config, facts, plan, former_paces(run.home)) if plan is not None else None
    if plan is None or whole is None or not whole.is_whole:
        return None
    return whole.total * max(0, plan.steps - saved) / max(1, plan.steps)
