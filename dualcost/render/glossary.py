"""The words of tables and reports: each once, for the report's page and for the documents."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """A word, and what it means in two or three short sentences."""

    name: str
    about: str

    @property
    def anchor(self) -> str:
        """Where it stands on a page: "lower-bound"."""
        return "-".join(self.name.lower().replace(",", "").split())


GLOSSARY = (
    Word(
        "Convention",
        "What is counted as a multiply-accumulate, and what besides. The usual one is torch. The "
        "convention paper leaves out products of two activations, such as attention.",
    ),
    Word(
        "FLOPs",
        "Floating-point operations. A MAC is two of them: one multiplication and one addition. "
        "Some papers, that on DualConv among them, write FLOPs and mean MACs.",
    ),
    Word(
        "G and P",
        "G is the number of groups of a group or a dual convolution: each K×K filter sees 1/G of "
        "the input channels. P belongs to a heterogeneous convolution: 1/P of its kernels are K×K, "
        "and the others are 1×1.",
    ),
    Word(
        "Kind",
        "A way to build a convolution: standard, dsc (depthwise separable), group, het "
        "(heterogeneous) or dual.",
    ),
    Word(
        "Lower bound",
        "A number that may be larger in truth; it is written with ≥. An op ran that no rule "
        "counts, or whose time no calibration predicts. A lower bound never passes a maximum.",
    ),
    Word(
        "MACs",
        "Multiply-accumulates: a·b + c is one. Convolutions and linear layers consist of them.",
    ),
    Word(
        "Peak activations",
        "Activations are the maps that layers make. Their peak is the most bytes of them that are "
        "in memory at the same time. Weights are no part of it.",
    ),
    Word(
        "Plan",
        "A rewrite that says for each layer what it becomes. The command fit finds one, and a TOML "
        "file holds it.",
    ),
    Word(
        "Request",
        "What you ask to be replaced, in one text: dual:G=4@separable is a kind, its number and a "
        "rule.",
    ),
    Word(
        "Rule",
        "Which sites are replaced. A rule is a list of terms, such as kernel>1, or a name, such as "
        "separable. A site must meet all terms.",
    ),
    Word(
        "Site",
        "A place in a network that can be replaced: one convolution, or a block of several layers "
        "that one convolution replaces.",
    ),
    Word(
        "Traffic",
        "The bytes that layers read and write, every tensor once for each op. If a layer does few "
        "FLOPs for each byte, it waits for memory.",
    ),
)
