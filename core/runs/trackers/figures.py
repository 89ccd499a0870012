"""The numbers of an event under the names that trackers group them by."""

from __future__ import annotations

from core.events import Event, Step, Validation

STEP_NAMES = {
    "loss": "loss/total", "instance_loss": "loss/instance", "prior_loss": "loss/prior", "rate": "rate/unet",
    "text_encoder_rate": "rate/text_encoder", "gradient_norm": "gradient_norm",
    "images_per_second": "speed/images_per_second", "memory_bytes": "memory/bytes",
}  # fmt: skip
VALIDATION_NAMES = {"instance": "validation/instance", "prior": "validation/prior"}


def figures(event: Event) -> tuple[int, dict[str, float]]:
    """(optimizer step, name → number) of a step or a validation; figures that are not numbers are left out, and every
    other event has none.
    """
    if not isinstance(event, Step | Validation):
        return 0, {}
    names = STEP_NAMES if isinstance(event, Step) else VALIDATION_NAMES
    values = {title: getattr(event, field) for field, title in names.items()}
    return event.step, {title: value for title, value in values.items() if value is not None}
