"""What stands in an empty field: an example of what is typed there, or that nothing need be."""

from __future__ import annotations

from core.config.table import Option, generic
from core.texts import Texts, say

EXAMPLES = Texts("placeholder", {
    "model.name": "for example my-dog",
    "model.source": "for example demo, or /models/sd15.safetensors",
    "concepts.*.instance.directory": "for example ~/pictures/my-dog",
    "concepts.*.instance.identifier": "for example ohwx",
    "concepts.*.instance.class_noun": "for example dog",
    "concepts.*.sample.prompt": "optional: empty, it is your caption",
    "concepts.*.prior.prompt": "optional: empty, your caption without the word",
})  # fmt: skip
"""Option → what is seen where nothing was typed. Every other field whose default is empty is optional."""


def optional() -> str:
    return say("placeholder.optional", "optional")


def placeholder(path: str, option: Option) -> str:
    """For the field at `path`; nothing where it begins with a value."""
    if generic(path) in EXAMPLES:
        return EXAMPLES[generic(path)]
    return optional() if option.default == "" else ""
