"""Options that several commands share, each written once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from actorflow.cli.complaint import refusal

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


class _Text(click.ParamType[object]):
    """A text that `read` takes; what it does not take is a usage error in its own words."""

    def __init__(self, name: str, read: Callable[[str], object]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        try:
            self._read(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return value


class _Finite(click.FloatRange):
    """A number in a range; neither `inf` nor `nan`, which is in every range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number", param, ctx)
        return number


def _size(text: str) -> object:
    from actorflow.flows.sizes import size_bytes

    return size_bytes(text if not text.isdecimal() else int(text))


def _duration(text: str) -> object:
    from actorflow.flows.durations import seconds

    return seconds(text)


SIZE = _Text("size", _size)
DURATION = _Text("duration", _duration)


def limit_options(command: F) -> F:
    """--timeout, --max-memory, --default-memory and --max-cpus: the limits of a run as a whole."""
    for option in (
        click.option("--max-cpus", type=_Finite(min=0, min_open=True), help="CPUs that tasks may use at once."),
        click.option(
            "--default-memory",
            type=SIZE,
            metavar="SIZE",
            help="What a process task counts for that declares no memory; 256MiB by default.",
        ),
        click.option(
            "--max-memory",
            type=SIZE,
            metavar="SIZE",
            help="Declared memory of the tasks that run at once, such as 4GiB; 0 for no limit.",
        ),
        click.option(
            "--timeout", type=DURATION, metavar="DURATION", help="Of the whole run, such as 2h; 0s for no limit."
        ),
    ):
        command = option(command)
    return command


def following_options(command: F) -> F:
    """--trace, --backend, --progress, -q, --full-traceback: how a run that this command carries out is told."""
    for option in (
        click.option("--full-traceback", is_flag=True, help="Failures with every frame, those of actorflow too."),
        click.option("-q", "--quiet", is_flag=True, help="Nothing but failures and the last line."),
        click.option(
            "--progress",
            type=click.Choice(["auto", "live", "plain", "none"]),
            default="auto",
            help="auto is live in a terminal, plain elsewhere, none with --json.",
        ),
        click.option(
            "--backend",
            type=click.Choice(["asyncio", "trio"]),
            default="asyncio",
            help="Which loop the run is on.",
        ),
        click.option(
            "--trace/--no-trace",
            default=None,
            envvar="ACTORFLOW_TRACE",
            help="Send spans and metrics to OpenTelemetry, as the OTEL_* variables say.",
        ),
    ):
        command = option(command)
    return command


def require_backend(backend: str) -> None:
    """Raises Complaint where that loop is not installed."""
    from importlib.util import find_spec

    if backend != "asyncio" and find_spec(backend) is None:
        raise refusal(f"--backend {backend}: {backend} is not installed", f"pip install 'actorflow[{backend}]'")


def selection_options(command: F) -> F:
    """--select and --exclude: which steps run."""
    select = "Only these steps; may be repeated. NAME or load_*, with +NAME all it needs, with NAME+ all after it."
    exclude = "Not these steps; may be repeated."
    for name, help in (("--exclude", exclude), ("--select", select)):
        command = click.option(name, multiple=True, metavar="STEPS", help=help)(command)
    return command


fail_fast_option = click.option(
    "--fail-fast/--keep-going",
    default=None,
    help="End the run with its first failure, or let independent steps go on; else as the dag says.",
)
workers_option = click.option(
    "--workers", type=click.IntRange(min=1), help="How many worker processes; one a core by default."
)
grace_option = click.option(
    "--grace", type=DURATION, metavar="DURATION", help="How long cancelled tasks may take to end; 10s by default."
)
store_option = click.option(
    "--store",
    envvar="ACTORFLOW_STORE",
    metavar="FOLDER",
    help="Where runs are kept; else ACTORFLOW_STORE, else .actorflow in the current folder.",
)
