"""Other words for options: those that people bring, and those of earlier releases."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator

# What stands for the same in every command that has the option.
ALIKE: dict[str, tuple[str, ...]] = {
    "-G": ("--G",),
    "-P": ("--P",),
    "-b": ("--batch",),
    "--batch-size": ("--batch",),
    "--input-size": ("--input",),
    "--input-shape": ("--input",),
    "--img-size": ("--imgsz",),
    "--image-size": ("--imgsz",),
    "--csv": ("--format", "csv"),
    "--markdown": ("--format", "markdown"),
    "--latex": ("--format", "latex"),
    "--python": ("--format", "python"),
    "--html": ("--format", "html"),
}
# Words of the last release that have another name now, by command; they go with the next one.
OLD: dict[tuple[str, str], tuple[str, ...]] = {
    ("bench", "--budget"): ("--time",),
    ("explain", "--budget"): ("--time",),
    ("calibrate", "--budget"): ("--time",),
    ("paper", "--budget"): ("--time",),
    ("verify", "--limit"): ("--time",),
    ("fit", "--kinds"): ("--conv",),
    ("profile", "--explain"): ("--sites",),
    ("bench", "--by"): ("--layers",),
}


def understood(
    command: str, words: Iterable[str], options: Container[str], announce: Callable[[str], None]
) -> list[str]:
    """The words of a command line, with the options that the command has in the place of others.

    Args:
        command: its name.
        words: what was typed after it.
        options: the options that it has.
        announce: told which old words have new names.
    """
    return [*_replaced(command, iter(words), options, announce)]


def _replaced(
    command: str, words: Iterator[str], options: Container[str], announce: Callable[[str], None]
) -> Iterator[str]:
    for word in words:
        if word == "--":
            yield word
            yield from words
            return
        option, equals, value = word.partition("=")
        old = OLD.get((command, option))
        new = old or ALIKE.get(option)
        if option in options or new is None or new[0] not in options:
            yield word
            continue
        if old:
            announce(f"{option} is called {' '.join(old)} now")
        yield from new
        if old == ("--layers",):  # `--by layer` was its only form
            if not equals:
                next(words, None)
        elif (command, option) == ("verify", "--limit"):
            yield f"{value or next(words, '')}s"  # which was a number of seconds
        elif equals:
            yield value
