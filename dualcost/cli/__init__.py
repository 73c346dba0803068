"""The command line: one file per command, assembled here.

`main` is the only place that turns errors into messages and exit codes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated, Any

import typer

from dualcost import __version__
from dualcost.cli.output import complain
from dualcost.errors import DualcostError, ExitCode

# typer brings a click of its own, or uses the installed one, and exports only this error of it
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

EPILOG = (
    "Exit codes: 0 done; 1 a check did not pass; 2 the command, the model or the input does not "
    "fit; 3 it could not be measured here; 70 a fault of dualcost itself; 130 interrupted."
)

# Each command: its file here, and the function in it.
COMMANDS = {
    "profile": ("profile", "profile"),
    "report": ("report", "report"),
    "sweep": ("sweep", "sweep"),
    "compare": ("compare", "compare"),
    "verify": ("verify", "verify"),
    "convert": ("convert", "convert"),
    "formula": ("formula", "formula"),
    "solve": ("solve", "solve"),
    "fit": ("fit", "fit"),
    "check": ("check", "check"),
    "init": ("init", "init"),
    "lock": ("lock", "lock"),
    "bench": ("bench", "bench"),
    "calibrate": ("calibrate", "calibrate"),
    "explain": ("explain", "explain"),
    "roofline": ("roofline", "roofline"),
    "list": ("listed", "list_networks"),
    "draw": ("draw", "draw"),
    "paper": ("paper", "paper"),
    "equations": ("equations", "equations"),
}


def assembled(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """The application with some commands: all take longer to assemble than one takes to run."""
    app = typer.Typer(
        name="dualcost",
        help="What does this network cost, and what would it cost with other convolutions?",
        epilog=EPILOG,
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback(invoke_without_command=True)(_root)
    for name in names:
        file, function = COMMANDS[name]
        module = import_module(f"{__name__}.{file}")
        kind = getattr(module, "COMMAND", None)  # where typer's own does not do
        app.command(name, cls=kind, epilog=module.EXAMPLES)(getattr(module, function))
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
    except BrokenPipeError:
        # the reader (head, less) has seen enough; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except UsageError as error:
        complain(*_usage(error))
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


def _usage(error: Any) -> tuple[str, str]:
    """Message and hint of what the parser of the command line refused."""
    path = error.ctx.command_path if error.ctx else "dualcost"
    hint = f"`{path} --help` shows what it takes"
    close = getattr(error, "possibilities", None)
    if close:
        return (
            f"there is no option {error.option_name}",
            f"did you mean {' or '.join(close)}? {hint}",
        )
    return error.format_message().strip(), hint
