"""Strategy: which children a restart takes with it.

For children a, b, c started in this order, when b has to be restarted:

| strategy     | stopped, in this order | started, in this order |
|--------------|------------------------|------------------------|
| one_for_one  | -                      | b                      |
| one_for_all  | c, a                   | a, b, c                |
| rest_for_one | c                      | b, c                   |

Temporary children are stopped with the others and not started again.
Source: Erlang/OTP supervisor strategies.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal, TypeAlias, assert_never


class Strategy(StrEnum):
    """Which siblings are restarted with a child: none, all, or those started after it."""

    one_for_one = "one_for_one"
    one_for_all = "one_for_all"
    rest_for_one = "rest_for_one"


StrategyName: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]


def restart_group(strategy: Strategy, children: Sequence[str], failed: str) -> list[str]:
    """The children to restart with `failed` (and `failed` itself), in start order.

    children: ids of all children in start order, `failed` among them (ValueError if not).
    They are stopped in the reverse of this order, then started in this order.
    """
    position = list(children).index(failed)
    match strategy:
        case Strategy.one_for_one:
            return [failed]
        case Strategy.one_for_all:
            return list(children)
        case Strategy.rest_for_one:
            return list(children[position:])
        case _:
            assert_never(strategy)
