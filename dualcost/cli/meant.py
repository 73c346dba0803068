"""What people mean by words that no command takes, and what they type instead.

The table is asked before the edit distance: `export` means `convert`, and not `explain`, which has
more of its letters.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence

MODEL = "MODEL"  # in a way: the model that was typed, if one was
COUNT = f"profile {MODEL}"
RACE, PREDICT = f"bench {MODEL}", f"profile {MODEL} --latency"
REWRITE = f"profile {MODEL} --conv dual --G 4"
WRITE = f"convert {MODEL} --conv dual --G 4 -o FILE.onnx"
COMPARE = f"compare {MODEL} {MODEL}+dual:4"
CHOOSE = f"fit {MODEL} --budget macs=3G"
REASON = f"explain {MODEL} --conv dual --G 4"
SWEEP = f"sweep {MODEL} --conv dual --G 1..32"
CHECK = f"check {MODEL} --max macs=3G"
GROWTH = f"check {MODEL} --max-increase macs=1% --baseline git:main"
SIDES = ("--imgsz 224", "--input 1x3x224x224")
NAMED = 3  # commands in a hint
TABLE = re.compile(r"table-?(\d|[iv]+)")  # of the paper


def _by_word(rows: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    """A table with a row for each of the words that a row is for."""
    return {word: tuple(ways) for words, ways in rows.items() for word in words.split()}


# Words in the place of a command → what they may mean, the likeliest first.
COMMANDS = _by_word(
    {
        "count counts flops gflops mac macs madds param params parameters size complexity": [COUNT],
        "cost summary summarize stats stat analyze analyse layers layer show inspect run": [COUNT],
        "describe memory activations traffic torchinfo thop ptflops": [COUNT],
        "latency predict estimate speed": [PREDICT, RACE],
        "benchmark time timing measure race throughput": [RACE],
        "export onnx save write build transform": [WRITE],
        "replace rewrite apply what-if whatif": [REWRITE, WRITE],
        "plot pareto grid explore scan": [f"{SWEEP} --plot"],
        "prune compress search optimize optimise shrink nas plan choose reduce": [CHOOSE],
        "find minimize minimise": [f"solve {MODEL} 'params <= 20M' --conv dual", CHOOSE],
        "diff vs versus delta": [COMPARE],
        "html page dashboard view open": [f"report {MODEL}"],
        "ci gate guard budget assert test limit": [CHECK],
        "baseline freeze snapshot update": ["lock"],
        "models zoo ls networks names catalog available": ["list"],
        "symbolic closed-form closedform": [f"formula {MODEL} --conv dual"],
        "equation formulas formulae math kinds": ["equations"],
        "crosscheck cross-check validate fvcore": [f"verify {MODEL}"],
        "why reason": [REASON],
        "filter filters diagram picture design": ["draw --conv dual"],
        "calibration tune": ["calibrate"],
        "tables claims reproduce": ["paper"],
        "env environment doctor system machine about": ["info"],
        "clean clear purge": ["cache clear"],
        "setup config configure new start": [f"init {MODEL}"],
        "version ver": ["--version"],
        "help usage man": ["--help"],
        "completion complete autocomplete": ["--install-completion"],
    }
)

# Options without their dashes → what they may mean. What begins with a dash is for the command that
# was typed, if that takes it; what names a command is for all others.
OPTIONS = _by_word(
    {
        "plot figure chart graph plots": ["--plot", f"{SWEEP} --plot"],
        "png svg pdf": ["--plot sweep.png", f"{SWEEP} --plot sweep.png"],
        "html page report": [f"report {MODEL}"],
        "max limit threshold assert fail-if gate max-macs max-flops": [CHECK],
        "max-params max-parameters": [f"check {MODEL} --max params=20M"],
        "max-growth max-increase tolerance": [GROWTH],
        "export save onnx save-model": ["-o FILE", WRITE],
        "out file outfile output-file to write dest": ["-o FILE"],
        "size img-size image-size imgsize img res resolution image height width": [*SIDES],
        "shape input-size input-shape in dims channels": ["--input 1x3x224x224"],
        "b bs batch-size batchsize n": ["--batch 8"],
        "g groups group divisor num-groups": ["--G 4"],
        "p parts part": ["--P 4"],
        "kind kinds type conv-type convs convolution replace rewrite with method": ["--conv dual"],
        "only layers filter match include select rule at": ["--where 'path=layer3.*'"],
        "exclude skip ignore except keep": ["--but 'path=layer1.*: keep'"],
        "level max-depth nesting": ["--depth 2"],
        "order order-by sort-by": ["--sort macs"],
        "head rows first": ["--top 10"],
        "units precision human exact": ["--unit M"],
        "csv": ["--format csv", "-o FILE.csv"],
        "markdown md": ["--format markdown", "-o FILE.md"],
        "latex tex": ["--format latex", "-o FILE.tex"],
        "form fmt style as jsonl": ["--format json", "--json"],
        "time times speed runtime latency predict estimate ms": ["--latency", PREDICT, RACE],
        "measure benchmark bench race": ["--measure", RACE],
        "gpu cuda": ["--device cuda"],
        "cpu": ["--device cpu"],
        "cores num-threads": ["--threads 1"],
        "workers parallel j processes": ["--jobs 2"],
        "fp16 half bf16 amp": ["--dtype bfloat16"],
        "torch-compile compiled": ["--compile"],
        "nhwc memory-format": ["--channels-last"],
        "target-macs target-params constraint": ["--budget macs=3G", CHOOSE],
        "counting mode": ["--convention fvcore"],
        "crosscheck check validate": ["--verify", f"verify {MODEL}"],
        "why reasons": ["--why", REASON],
        "diff compare vs against": [COMPARE],
        "base since ref": ["--baseline git:main"],
        "weight checkpoint ckpt pretrained": ["--weights FILE", f"{WRITE} --weights FILE"],
        "dry simulate no-write": ["--dry-run"],
        "symbol symbolic": ["--symbols B,H,W", f"formula {MODEL} --symbols B,H,W"],
        "verbose v trace traceback log": ["--debug"],
    }
)

# Options for what is so already → how.
ALREADY = {
    word: how
    for words, how in {
        "quiet q silent no-progress": "leave it out: only the result goes to standard output",
        "no-color no-colour color colour": "NO_COLOR=1 in the environment turns colours off",
        "model net network name arch": "the model stands behind the command, without an option",
        "flops macs params": "leave it out: they are shown",
    }.items()
    for word in words.split()
}

Options = Mapping[str, Collection[str]]  # what each command takes: "profile": {"--input", …}


def meant_command(
    typed: Sequence[str], commands: Collection[str], models: Iterable[str] = ()
) -> str:
    """The hint on a line whose first word is no command; "" where nothing comes to mind.

    Args:
        typed: the words of the line; the first is refused.
        commands: those that there are.
        models: the names of known networks, which may stand in the place of a command.
    """
    names = list(models)
    word = _plain(typed[0])
    model = next((one for one in typed[1:2] if not one.startswith("-")), MODEL)
    if table := TABLE.fullmatch(word):
        number = table[1]
        return _write([f"paper table{number}" if number.isdecimal() else f"paper {number.upper()}"])
    if word not in COMMANDS and _is_model(typed[0], names):
        return _write([shlex.join(("profile", *typed))])
    (close,) = difflib.get_close_matches(word, (*COMMANDS, *commands, *names), n=1) or [""]
    if close in COMMANDS:
        return _write(COMMANDS[close], model)
    if not close:
        return ""
    first = (close,) if close in commands else ("profile", close)
    return _write([shlex.join((*first, *typed[1:]))])


def meant_option(option: str, command: str, options: Options, model: str = MODEL) -> str:
    """The hint on an option that a command does not take; "" where nothing comes to mind.

    Args:
        option: as it was typed, "--max-params" or "--max-params=20M".
        command: that refused it.
        options: what each command takes, that one too.
        model: that was typed; else the hint shows where it stands.
    """
    own = options.get(command, ())
    word = _plain(option.partition("=")[0])
    spelt = [one for one in own if _plain(one) == word]
    if spelt:
        return f"write {spelt[0]}"
    for way in OPTIONS.get(word, ()):
        first, *_ = way.split()
        if first in own:
            return f"write {way}"
        if not first.startswith("-"):
            return _write([way], model)
    if word in ALREADY:
        return ALREADY[word]
    others = [name for name, takes in options.items() if f"--{word}" in map(str.lower, takes)]
    if others:
        takes = "takes" if len(others) == 1 else "take"
        return f"{_listed(others)} {takes} --{word}, {command} does not"
    if close := difflib.get_close_matches(f"--{word}", own, n=2):
        return f"did you mean {' or '.join(close)}?"
    known = difflib.get_close_matches(word, OPTIONS, n=1, cutoff=0.8)
    return meant_option(known[0], command, options, model) if known else ""


def _listed(names: Sequence[str]) -> str:
    if len(names) > NAMED:
        names = [*names[:NAMED], f"{len(names) - NAMED} more"]
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _plain(word: str) -> str:
    """A word without its dashes, in small letters: "img-size" of "--IMG_SIZE"."""
    return word.lstrip("-").lower().replace("_", "-")


def _write(ways: Sequence[str], model: str = MODEL) -> str:
    named = ([word.replace(MODEL, model) for word in shlex.split(way)] for way in ways)
    return f"write {' or '.join(f'`dualcost {shlex.join(words)}`' for words in named)}"


def _is_model(word: str, models: Iterable[str]) -> bool:
    """Whether a word is a model: a known name, with a rewrite or not, or a file or code."""
    name = word.partition("+")[0]
    code = ":" in name or name.endswith((".py", ".pt2"))
    return code or _plain(name) in {_plain(known) for known in models}
