"""What stands where there is no run yet: what the program does, and the first key to press."""

from __future__ import annotations

import re

from textual.content import Content

from core.texts import say


def welcome() -> Content:
    """Keys stand in brackets in the text, and are shown in a colour."""
    said = say(
        "home.welcome",
        "{dbtui} Nothing is trained here yet.\n\n"
        "dbtui teaches Stable Diffusion a new subject from a few of your pictures:\n"
        "your clock, your dog, a face, a style of painting. You choose a rare word\n"
        "for it; afterwards that word in a prompt draws your subject.\n\n"
        "Press [t] to try it with the demo: a small model that comes with the program\n"
        "learns a new dog before your eyes. About a minute; no graphics card, no\n"
        "download, nothing to prepare.\n\n"
        "Press [n] to begin with a subject of your own. Four short screens ask for\n"
        "  ·  a folder with three to twenty pictures of it\n"
        "  ·  a Stable Diffusion model (1.x, 2.x or XL): a .safetensors or .ckpt file,\n"
        "     a diffusers folder, or the name of one on the hub\n"
        "Training takes minutes on a graphics card, much longer without one. Nothing\n"
        "is trained before you have seen the plan.\n\n"
        "Anywhere: [F1] helps, [Ctrl+P] lists everything, [Ctrl+L] 简体中文, [Ctrl+C] leaves.",
        dbtui=f"[{say('home.welcome.title', 'Welcome.')}]",
    )
    title, *rest = re.split(r"\[(.*?)\]", said)[1:]
    parts = [(part, "bold $accent" if number % 2 else "") for number, part in enumerate(rest)]
    return Content.assemble((title, "bold"), *parts)


def demo_words() -> str:
    return say(
        "home.demo",
        "A small Stable Diffusion that comes with the program learns a new dog from six pictures, as a real one would "
        "learn yours. It takes about a minute on two processor cores. You see the new dog form, and beside it what the "
        "model makes of any other dog.",
    )
