"""The layers of a profile in a terminal: aligned columns that fit, whole names, bars, a tree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text

from dualcost.costs.profile import Profile
from dualcost.render.glyphs import CELLS, aligned, bar, guides, shortened, stacked
from dualcost.render.profile.columns import Column, columns, place
from dualcost.render.profile.heading import row_style
from dualcost.render.rewrite import becomes
from dualcost.render.terminal import no_room
from dualcost.views.listing import MORE
from dualcost.views.tree import Entry, Outline

TITLES = 2  # the lines of the titles; the upper one is left out where it says nothing
LEAST = 16  # names are shortened to no less than this


def layers(profile: Profile, outline: Outline, unit: str, width: int) -> list[Text]:
    """The columns' titles and a line for each entry, for a terminal of this width.

    Below them is said which columns have no room.
    """
    entries = outline.entries
    _, *asked = columns(profile, outline.sort)
    if outline.depth is not None:
        asked = [column for column in asked if column.sums]
    names = [guides(entry.ends) + label(entry) for entry in entries]
    wanted = max(
        map(len, ["layer", *(n for n, e in zip(names, entries, strict=True) if not _rest(e))])
    )
    every = {column: _block(column, profile, entries, unit) for column in asked}
    blocks, left_out = _fitting(every, width - wanted)
    room = min(wanted, max(LEAST, width - _width(blocks)))
    heads = zip(("", "layer"), *(block[:TITLES] for block in blocks), strict=True)
    lines = [
        _line(name.ljust(room), cells, "dim") for name, *cells in heads if "".join(cells).strip()
    ]
    bodies = (block[TITLES:] for block in blocks)
    for entry, name, *cells in zip(entries, names, *bodies, strict=True):
        guide = len(guides(entry.ends))
        if _rest(entry):
            lines.append(_line(*_spilt(entry, name, room, cells), _style(entry)))
        else:
            short = name[:guide] + shortened(name[guide:], max(1, room - guide))
            lines.append(_line(short.ljust(room), cells, _style(entry)))
        lines[-1].stylize("dim not bold", 0, guide)
    return [*lines, *(Text(one, "dim") for one in filter(None, [no_room(left_out)]))]


def label(entry: Entry) -> str:
    """What an entry is called below its parent."""
    return entry.name or place(entry.row)


def remark(outline: Outline) -> str:
    """What a table folds though nobody said so, and how to see it; "" if it says so itself."""
    if not outline.chosen or outline.depth is None:
        return ""
    return f"folded by module at --depth {outline.depth}; --top 0 lists every layer"


def whole(line: str, style: str = "") -> Text:
    """A line that is longer than the terminal rather than cut or wrapped."""
    return Text(line, style, no_wrap=True, overflow="ignore")


def _rest(entry: Entry) -> bool:
    return entry.row.group == MORE


def _style(entry: Entry) -> str:
    return "bold" if entry.open else row_style(entry.row)


def _line(name: str, cells: Iterable[str], style: str) -> Text:
    return whole(" ".join([name, *cells]), style)


def _width(blocks: Iterable[Sequence[str]]) -> int:
    return sum(len(block[0]) + 1 for block in blocks)


def _fitting(
    every: dict[Column, tuple[str, ...]], width: int
) -> tuple[list[tuple[str, ...]], list[str]]:
    """The columns that say something and that fit, and the titles of those that do not fit."""
    blocks = {column: block for column, block in every.items() if "".join(block[TITLES:]).strip()}
    said = [*blocks]
    while _width(blocks.values()) > width:
        leaving = max(blocks, key=lambda column: column.leaves)
        if not leaving.leaves:
            break
        del blocks[leaving]
    return list(blocks.values()), [column.title for column in said if column not in blocks]


def _block(
    column: Column, profile: Profile, entries: Sequence[Entry], unit: str
) -> tuple[str, ...]:
    """The lines of the title of a column, and its cells, aligned."""
    texts = [column.text(profile, entry.row, unit) for entry in entries]
    if column.apart:
        texts = aligned(texts, column.apart)
    if column.part is None:
        texts = [*stacked(column.title), *texts]
        width = max(map(len, texts))
        return tuple(text.rjust(width) if column.number else text.ljust(width) for text in texts)
    width = max(map(len, texts), default=0)
    drawn = zip(texts, map(bar, bars(column, profile, entries)), strict=True)
    block = [f"{text:>{width}} {one}" for text, one in drawn]
    title = column.title.ljust(width + 1 + CELLS)
    return (" " * len(title), title, *block)


def bars(column: Column, profile: Profile, entries: Sequence[Entry]) -> list[float]:
    """How long the bar of each entry is, as a share of the longest; a rest has none."""
    part = column.part
    parts = [
        0.0 if part is None or _rest(one) else part(profile, one.row) or 0.0 for one in entries
    ]
    most = max(parts, default=0.0) or 1.0
    return [one / most for one in parts]


def _spilt(entry: Entry, name: str, room: int, cells: Sequence[str]) -> tuple[str, list[str]]:
    """The line of a rest, whose long name takes the place of what is beside it, up to numbers."""
    left = list(cells)
    kind = becomes(entry.row.becomes)
    # a rest has its kind in its text, and neither channels nor a kernel
    while left and left[0].strip() in ("", kind):
        room += 1 + len(left.pop(0))
    use = f"{name}, use --top 0"
    texts = [f"{use} ({kind})" if kind else use, use, name]
    text = next((one for one in texts if len(one) <= room), shortened(name, room))
    return text.ljust(room), left
