"""SVG plots of records: curves over one axis with their limits, and bars. Needs Python alone."""

import math
from dataclasses import dataclass, field
from html import escape
from typing import Callable

# Okabe and Ito's colours, which people with any colour vision can tell apart.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"
COLOURS = [BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY]
INK, FAINT, GRID = "#222", "#666", "#ddd"
WIDTH, LEFT, RIGHT = 760, 84, 24


@dataclass
class Curve:
    name: str
    points: list  # (x, y)
    colour: str
    limit: bool = False  # dashed and without marks


@dataclass
class Panel:
    title: str
    curves: list = field(default_factory=list)
    height: int = 250
    log: bool = True


def number(value):
    """A short text: 1,200 or 16 k, 2.5 M."""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if value >= size:
            size = 1e3 if letter == " k" else size
            return f"{value / size:.3g}{letter}"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def text(x, y, words, anchor="start", size=13, colour=INK, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"{more}>{escape(words)}</text>'


def line(x1, y1, x2, y2, colour=GRID, width=1.0, dash=""):
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"{dashed}/>')


def ticks(low, high):
    """1, 2 and 5 times powers of ten from below `low` to above `high`; powers alone where that is many."""
    steps = (1, 2, 5) if high / low < 200 else (1,)
    every = [m * 10.0 ** e for e in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2) for m in steps]
    first = max(i for i, t in enumerate(every) if t <= low * 1.0001)
    last = min(i for i, t in enumerate(every) if t >= high * 0.9999)
    return every[first:max(last, first + 1) + 1]


def even_ticks(high):
    """From 0 to above `high` in four to six round steps."""
    step = 10.0 ** math.floor(math.log10(high))
    while high / step < 3:
        step /= 2
    return [step * i for i in range(math.ceil(high / step) + 1)]


def legend(curves, top):
    """In rows, a sample of each line before its name. Returns the parts and the height."""
    parts, x, y = [], LEFT, top
    for name, colour, limit in {(c.name, c.colour, c.limit): 0 for c in curves}:
        width = 44 + 7.2 * len(name)
        if x + width > WIDTH - RIGHT and x > LEFT:
            x, y = LEFT, y + 20
        parts.append(line(x, y - 4, x + 26, y - 4, colour, 2, "6 4" if limit else ""))
        if not limit:
            parts.append(f'<circle cx="{x + 13}" cy="{y - 4}" r="3.5" fill="{colour}"/>')
        parts.append(text(x + 32, y, name))
        x += width + 14
    return parts, y - top + 20


def draw_panel(panel, x_of: Callable, x_ticks, top, x_name):
    values = [y for c in panel.curves for _, y in c.points if y > 0]
    bottom = top + panel.height
    marks = ticks(min(values), max(values)) if panel.log else even_ticks(max(values))
    scale = math.log10 if panel.log else float
    low, high = scale(marks[0]), scale(marks[-1])
    y_of = lambda v: bottom - panel.height * (scale(v) - low) / (high - low)
    parts = [text(LEFT, top - 10, panel.title, size=13, more=' font-weight="bold"')]
    for mark in marks:
        parts += [line(LEFT, y_of(mark), WIDTH - RIGHT, y_of(mark)),
                  text(LEFT - 8, y_of(mark) + 4, number(mark) if mark else "0", "end", 12, FAINT)]
    for value, words in x_ticks:
        parts += [line(x_of(value), bottom, x_of(value), bottom + 5, FAINT),
                  text(x_of(value), bottom + 19, words, "middle", 12, FAINT)]
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, bottom + 39, x_name, "middle"))
    for curve in sorted(panel.curves, key=lambda c: not c.limit):
        points = [(x_of(x), y_of(y)) for x, y in curve.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dash = ' stroke-dasharray="6 4"' if curve.limit else ""
        parts.append(f'<polyline points="{path}" fill="none" stroke="{curve.colour}" stroke-width="2"{dash}/>')
        if not curve.limit:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{curve.colour}"/>' for x, y in points]
    return parts


def curves(path, title, x_name, panels, names=None):
    """Panels below each other with one logarithmic axis x. names: text of each x; default: the number."""
    every = sorted({x for p in panels for c in p.curves for x, _ in c.points})
    low, high = math.log(every[0]), math.log(every[-1])
    inner = (LEFT + 26, WIDTH - RIGHT - 26)
    x_of = lambda x: inner[0] + (inner[1] - inner[0]) * (math.log(x) - low) / ((high - low) or 1)
    x_ticks = [(x, (names or {}).get(x, f"{x:,}" if isinstance(x, int) else number(x))) for x in every]
    parts = [text(LEFT, 26, title, size=16, more=' font-weight="bold"')]
    more, height = legend([c for p in panels for c in p.curves], 52)
    parts += more
    top = 52 + height + 22
    for panel in panels:
        parts += draw_panel(panel, x_of, x_ticks, top, x_name)
        top += panel.height + 78
    write(path, parts, top - 24)


@dataclass
class Bar:
    name: str
    value: float  # where it ends; 1: the limit
    words: str  # beside it
    ours: bool = False


def bars(path, title, below, groups):
    """groups: (name, bars). One axis in percent for all; the limit is a dashed line."""
    left, right, high = 238, 190, 27
    most = max([1.0, *(b.value for _, bars_ in groups for b in bars_)])
    x_of = lambda v: left + (WIDTH - left - right) * v / most
    parts, top = [text(24, 28, title, size=16, more=' font-weight="bold"')], 62
    bottom = top + sum(28 + 20 * len(bars_) + 12 for _, bars_ in groups)
    for share in [i / 4 for i in range(int(most * 4) + 1)]:
        parts += [line(x_of(share), top - 8, x_of(share), bottom, GRID),
                  text(x_of(share), bottom + 18, f"{100 * share:.0f} %", "middle", 12, FAINT)]
    parts.append(line(x_of(1), top - 8, x_of(1), bottom, INK, 1.5, "6 4"))
    parts.append(text((left + WIDTH - right) / 2, bottom + 40, below, "middle"))
    for name, bars_ in groups:
        parts.append(text(24, top + 14, name, more=' font-weight="bold"'))
        top += high
        for bar in bars_:
            colour = BLUE if bar.ours else ORANGE
            parts += [text(left - 10, top + 12, bar.name, "end"),
                      f'<rect x="{left}" y="{top}" width="{max(1.0, x_of(bar.value) - left):.1f}" height="15" fill="{colour}"/>',
                      text(x_of(bar.value) + 6, top + 12, bar.words, size=12,
                           more=' stroke="#fff" stroke-width="3" paint-order="stroke"')]
            top += 20
        top += 13
    write(path, parts, bottom + 56)


def write(path, parts, height):
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}" '
            'font-family="Helvetica, Arial, sans-serif"><rect width="100%" height="100%" fill="#fff"/>')
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([head, *parts, "</svg>"]) + "\n")
