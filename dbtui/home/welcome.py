"""What stands where there is no run yet: what the program does, and the first key to press."""

from __future__ import annotations

import re

from textual.content import Content

from core.texts import say


def welcome() -> Content:
    """Five lines. Keys stand in brackets in the text, and are shown in a colour."""
    said = say(
        "home.welcome",
        "{dbtui} Nothing is trained here yet.\n\n"
        "Teach Stable Diffusion your dog, a face or a style, from 3 to 20 pictures.\n\n"
        "Press [t] for the demo: a small model learns a new dog while you watch.\n"
        "Press [n] for your own pictures: four screens ask; nothing trains before\n"
        "you have seen the plan. On a graphics card: minutes; else hours to days.\n\n"
        "[F1] helps anywhere, [Ctrl+P] lists all, [Ctrl+L] 简体中文, [Ctrl+C] leaves.",
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
