"""A page of the manual for the terminal: what `--help` prints."""

from __future__ import annotations

import shutil

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel as Box
from rich.table import Table
from rich.text import Text

from dualcost.render.manual.page import Page, Panel, lines
from dualcost.render.terminal import as_text

WIDEST = 100  # longer lines read badly
TERMS = 26  # the widest column of terms


def help_text(page: Page) -> str:
    """The page as wide as the terminal, or as COLUMNS says; at most WIDEST."""
    width = min(shutil.get_terminal_size().columns, WIDEST)
    return as_text(lambda _: help_page(page, width), None)


def help_page(page: Page, width: int) -> RenderableType:
    """Usage, what the command does, its panels, and examples."""
    usage = Text.assemble("Usage: ", (page.name, "bold"), f" {page.usage}")
    parts: list[RenderableType] = [usage]
    for index, paragraph in enumerate(page.about):
        parts += ["", Padding(Text(paragraph, "dim" if index else ""), (0, 2))]
    parts.append("")
    parts += [_panel(panel, _column(page, _optional(panel), width)) for panel in page.panels]
    if page.examples:
        parts.append(_examples(page, width))
    table = Table.grid()
    table.add_column(width=width)
    table.add_row(Group(*parts))
    return table


def _optional(panel: Panel) -> bool:
    return panel.entries[0].term.startswith("-")


def _column(page: Page, optional: bool, width: int) -> int:
    """How wide the terms are: one width for all panels of options, one for the others."""
    alike = (panel for panel in page.panels if _optional(panel) is optional)
    terms = (len(entry.term) for panel in alike for entry in panel.entries)
    return min(max(terms), TERMS, width // 3)


def _panel(panel: Panel, column: int) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="cyan", width=column, overflow="fold")
    table.add_column(overflow="fold")
    for entry in panel.entries:
        about = Text(entry.about)
        if entry.note:
            about.append(f" [{entry.note}]", style="dim")
        table.add_row(Text(entry.term), about)
    return Box(table, title=panel.title, title_align="left", border_style="dim")


def _examples(page: Page, width: int) -> RenderableType:
    """Without lines at the sides, so that a command can be copied."""
    text = Text()
    for command, about in page.examples:
        text.append(f"{about}\n", style="dim")
        for line in lines(command, width - 4):
            text.append(f"  {line}\n", style="")
    text.right_crop()
    return Box(text, title="Examples", title_align="left", border_style="dim", box=box.HORIZONTALS)
