"""Rules of a user's own: the multiply-accumulates of an op or a module, in a few lines.

    from dualcost.nn import count_module, count_op

    @count_op("mylib::attend", group="matmul")
    def attend(arguments, result):
        return arguments["query"].numel() * arguments["key"].shape[-2] * 2

    @count_module(FancyLayer)
    def fancy(module, inputs, result):
        return module.weight.numel() * inputs[0].shape[0]

A rule stands before dualcost's own. What runs inside a module that has a rule is not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from dualcost.errors import UnknownNameError
from dualcost.network.cost import PRODUCTS
from dualcost.network.network import LINEAR

# arguments by the names of the op's schema, and the result → MACs
OpRule = Callable[[dict[str, Any], Any], int]
# the module, its positional inputs, and the result → MACs
ModuleRule = Callable[[nn.Module, tuple[Any, ...], Any], int]

# Filled by the decorators below: a user's own, so there are none to begin with.
OP_RULES: dict[str, tuple[str, OpRule]] = {}
MODULE_RULES: dict[type[nn.Module], tuple[str, ModuleRule]] = {}


def count_op(name: str, group: str = LINEAR) -> Callable[[OpRule], OpRule]:
    """Count an op by a function of its arguments and its result.

    Args:
        name: as a profile shows it: "mylib::attend", or an op of aten without its namespace.
        group: where its MACs belong: "convolution", "linear" or "matmul".

    Raises:
        UnknownNameError: there is no such group.
    """
    _check(group)

    def register(rule: OpRule) -> OpRule:
        OP_RULES[name] = group, rule
        return rule

    return register


def count_module(kind: type[nn.Module], group: str = LINEAR) -> Callable[[ModuleRule], ModuleRule]:
    """Count a module as one op by a function of itself, its inputs and its result.

    Raises:
        UnknownNameError: there is no such group.
    """
    _check(group)

    def register(rule: ModuleRule) -> ModuleRule:
        MODULE_RULES[kind] = group, rule
        return rule

    return register


def _check(group: str) -> None:
    # in any other group no convention counts MACs: the rule would count zero, in silence
    if group not in PRODUCTS:
        raise UnknownNameError("group of products", group, PRODUCTS)
