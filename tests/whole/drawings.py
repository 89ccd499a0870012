"""Smaller SVGs of screens: the same picture, in a third of the bytes."""

from __future__ import annotations

import re

_CELLS = re.compile(
    r'<rect fill="(#\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" shape-rendering="crispEdges"/>'
)
_HALF_CELL = re.compile(r'<text class="(terminal-\d+-r\d+)" x="([\d.]+)" y="([\d.]+)" textLength="12.2"[^>]*>▀</text>')
_COLOURS = re.compile(r"\.(terminal-\d+-r\d+) \{ fill: (#\w+)[^}]*\}\n?")
_LINE = re.compile(r'\s*<clipPath id="terminal-\d+-line-\d+">.*?</clipPath>', re.DOTALL)
_CLIPPED = re.compile(r' clip-path="url\(#terminal-\d+-line-\d+\)"')
_WEB_FONT = re.compile(r',\s*url\("https:[^)]*\) format\("\w+"\)')
_ASCENT = 18.5
"""From the top of a line to where its letters stand, in units of the drawing."""


def slim(drawing: str) -> str:
    """`drawing` as Textual exports it, with areas as short paths, half cells as areas, and no font from the web."""
    colours = dict(_COLOURS.findall(drawing))
    drawing = _HALF_CELL.sub(
        lambda found: _area(colours[found[1]], float(found[2]), float(found[3]) - _ASCENT, 12.2, 12.3), drawing
    )
    drawing = _CELLS.sub(lambda found: _area(found[1], *map(float, found.groups()[1:])), drawing)
    drawing = _WEB_FONT.sub("", _CLIPPED.sub("", _LINE.sub("", drawing)))
    used = set(re.findall(r'class="(terminal-\d+-r\d+)', drawing))
    drawing = _COLOURS.sub(lambda found: found[0] if found[1] in used else "", drawing)
    drawing = re.sub(r"terminal-\d+-", "t-", drawing)
    return drawing.replace("</style>", "path { shape-rendering: crispEdges }\n    </style>", 1)


def _area(colour: str, x: float, y: float, width: float, height: float) -> str:
    return f'<path fill="{colour}" d="M{_short(x)} {_short(y)}h{_short(width)}v{_short(height)}h-{_short(width)}"/>'


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
