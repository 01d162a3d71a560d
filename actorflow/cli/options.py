"""Options that several commands share, each written once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., object])
Decorator = Callable[[F], F]


def _json_anywhere(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    return value or bool(ctx.find_root().params.get("as_json"))


def json_option(help: str) -> Callable[[F], F]:
    """--json, here or before the command's name."""
    return click.option("--json", "as_json", is_flag=True, callback=_json_anywhere, help=help)


target_argument = click.argument("target", metavar="FILE[:DAG]")
own_arguments = click.argument("own", nargs=-1, type=click.UNPROCESSED, metavar="[-- OPTIONS OF THE DAG]")
param_option = click.option(
    "-p", "--param", "pairs", multiple=True, metavar="NAME=VALUE", help="A parameter of the dag; may be repeated."
)
executor_option = click.option(
    "--executor",
    metavar="NAME",
    help="Where tasks run that name no executor and have no quota: async, process, thread; inline for debugging.",
)
profile_option = click.option(
    "--profile", metavar="NAME", help="Settings from actorflow.toml, or [tool.actorflow] of pyproject.toml."
)
store_option = click.option(
    "--store",
    envvar="ACTORFLOW_STORE",
    metavar="FOLDER",
    help="Where runs are kept; else ACTORFLOW_STORE, else .actorflow in the current folder.",
)
