"""The command line: a file for each command, and what they share.

`main` is the only place that turns errors into messages and exit codes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import redirect_stderr
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from typer.main import get_command

from dualcost.cli import pages
from dualcost.cli.output import complain
from dualcost.cli.record import flat
from dualcost.errors import DualcostError, ExitCode
from dualcost.version import __version__

# typer brings a click of its own, or uses the installed one, and exports only this error of it
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

COMPLETION = "_DUALCOST_COMPLETE"  # where a shell says that it asks
ANSWERED = ("complete_bash", "complete_zsh", "complete_fish")  # others are answered by typer
COUNT, CHOOSE, BUILD = "Count", "Choose", "Build and measure"
GUARD, PAPER, TOOL = "Guard", "The paper", "This tool"

# Each command: the function in its file in commands/, and the panel of `--help` that it stands in.
COMMANDS = {
    "profile": ("profile", COUNT),
    "report": ("report", COUNT),
    "list": ("list_networks", COUNT),
    "sweep": ("sweep", COUNT),
    "compare": ("compare", COUNT),
    "verify": ("verify", COUNT),
    "formula": ("formula", CHOOSE),
    "solve": ("solve", CHOOSE),
    "fit": ("fit", CHOOSE),
    "convert": ("convert", BUILD),
    "bench": ("bench", BUILD),
    "calibrate": ("calibrate", BUILD),
    "explain": ("explain", BUILD),
    "roofline": ("roofline", BUILD),
    "init": ("init", GUARD),
    "check": ("check", GUARD),
    "lock": ("lock", GUARD),
    "paper": ("paper", PAPER),
    "equations": ("equations", PAPER),
    "draw": ("draw", PAPER),
    "info": ("info", TOOL),
    "cache": ("APP", TOOL),
}
EXAMPLES = (
    ("dualcost profile resnet50 --conv dual --G 4", "the main job"),
    ("dualcost profile --help", "what a command takes, with examples"),
)


def assembled(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """The application with some commands: all take longer to assemble than one takes to run."""
    app = typer.Typer(
        name="dualcost",
        cls=pages.Group,
        help="What does this network cost, and what would it cost with other convolutions?",
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback(invoke_without_command=True)(_root)
    for name in names:
        function, panel = COMMANDS[name]
        module = import_module(f"{__name__}.commands.{name}")
        found = getattr(module, function)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, rich_help_panel=panel)
            continue
        kind = getattr(module, "COMMAND", pages.Command)  # where that one does not do
        app.command(name, cls=kind, rich_help_panel=panel)(flat(found))
    return app


def _version(wanted: bool) -> None:
    if wanted:
        print(f"dualcost {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    """Run the command line and leave with the right exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> ExitCode:
    """Run one command; every error ends in a message, a hint and an exit code."""
    if os.environ.get(COMPLETION) in ANSWERED:
        return _complete()
    debug = "--debug" in arguments
    try:
        words = [argument for argument in arguments if argument != "--debug"]
        app = assembled(words[:1] if words and words[0] in COMMANDS else COMMANDS)
        # typer returns the code of an Exit, and None for a command that came to its end
        # a command that says how it was called finds its words in the context
        called = {"standalone_mode": False, "prog_name": "dualcost", "obj": tuple(words)}
        code = app(words, **called) or ExitCode.OK
        sys.stdout.flush()
        if code == ExitCode.INTERRUPTED:  # how typer 0.26 and later hands Ctrl-C on
            raise KeyboardInterrupt
        return ExitCode(code)
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        return ExitCode.INTERRUPTED
    except (BrokenPipeError, SystemExit) as error:
        # typer leaves with 1 where the reader (head, less) has seen enough
        if not isinstance(error.__context__ or error, BrokenPipeError):
            raise
        # Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except UsageError as error:
        from dualcost.cli.refusal import refusal

        complain(*refusal(error, words))
        return ExitCode.USAGE
    except DualcostError as error:
        if debug:
            raise
        complain(error.message, error.hint)
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        complain(
            f"dualcost itself failed: {type(error).__name__}: {error}",
            "this is a bug; run again with --debug and report what it prints",
        )
        return ExitCode.BUG
    return ExitCode.OK


def _complete() -> ExitCode:
    """Answer a shell whose user pressed the tab key; whatever goes wrong, the line stays clean."""
    from dualcost.cli import completion

    try:
        line = completion.asked(os.environ)
        # what is no command takes no words
        app = assembled([name for name in COMMANDS if not line.words or name == line.words[0]])
        with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
            text, found = completion.reply(get_command(app), line)
    except Exception:
        return ExitCode.FAILED
    sys.stdout.write(text)
    return ExitCode.OK if found else ExitCode.FAILED
