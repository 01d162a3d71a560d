"""Options that several commands share, each written once."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

import click

from actorflow.cli.complaint import refusal

F = TypeVar("F", bound=Callable[..., object])
R = TypeVar("R")
Progress = Literal["auto", "live", "plain", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenLimits:
    """What the options for the limits of a run say; each text has been read once already. None where not given."""

    timeout: str | None = None
    max_memory: str | None = None
    default_memory: str | None = None
    max_cpus: float | None = None


UNLIMITED = GivenLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which steps run, as patterns, and whether the first failure ends the run; None: as the dag says."""

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    fail_fast: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How a run is told while somebody looks on."""

    progress: Progress = "auto"
    quiet: bool = False
    full_traceback: bool = False
    as_json: bool = False


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


def _gathered(command: Callable[..., R], name: str, kind: type[object], names: tuple[str, ...]) -> Callable[..., R]:
    """`command` with the options of those names in one value `kind`, given to it as `name`."""

    @functools.wraps(command)
    def gathering(**given: Any) -> R:
        return command(**{name: kind(**{each: given.pop(each) for each in names})}, **given)

    return gathering


def limit_options(command: Callable[..., R]) -> Callable[..., R]:
    """--timeout, --max-memory, --default-memory and --max-cpus: the limits of a run as a whole, as `limits`."""
    command = _gathered(command, "limits", GivenLimits, tuple(each.name for each in fields(GivenLimits)))
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


def carrying_options(command: F) -> F:
    """--trace and --backend: how a run that this command carries out is watched, and on which loop it is."""
    for option in (
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


def telling_options(json_help: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """--progress, -q, --full-traceback, --json: how a run is told while somebody looks on, as `telling`."""

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        command = _gathered(command, "telling", Telling, tuple(each.name for each in fields(Telling)))
        for option in (
            json_option(json_help),
            click.option("--full-traceback", is_flag=True, help="Failures with every frame, those of actorflow too."),
            click.option("-q", "--quiet", is_flag=True, help="Nothing but failures and the last line."),
            click.option(
                "--progress",
                type=click.Choice(["auto", "live", "plain", "none"]),
                default="auto",
                help="auto is live in a terminal, plain elsewhere, none with --json.",
            ),
        ):
            command = option(command)
        return command

    return decorate


def require_backend(backend: str) -> None:
    """Raises Complaint where that loop is not installed."""
    from importlib.util import find_spec

    if backend != "asyncio" and find_spec(backend) is None:
        raise refusal(f"--backend {backend}: {backend} is not installed", f"pip install 'actorflow[{backend}]'")


def selection_options(command: Callable[..., R]) -> Callable[..., R]:
    """--select, --exclude, --fail-fast: which steps run, and until when, as `selection`."""
    command = _gathered(command, "selection", Selection, tuple(each.name for each in fields(Selection)))
    command = click.option(
        "--fail-fast/--keep-going",
        default=None,
        help="End the run with its first failure, or let independent steps go on; else as the dag says.",
    )(command)
    select = "Only these steps; may be repeated. NAME or load_*, with +NAME all it needs, with NAME+ all after it."
    exclude = "Not these steps; may be repeated."
    for name, help in (("--exclude", exclude), ("--select", select)):
        command = click.option(name, multiple=True, metavar="STEPS", help=help)(command)
    return command


recycle_option = click.option(
    "--recycle",
    multiple=True,
    metavar="NAME=VALUE",
    help="When a worker process makes room for a new one: max_tasks=1000, max_age=1h, max_rss=1GiB; 0 for never.",
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
