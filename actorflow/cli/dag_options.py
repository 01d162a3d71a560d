"""A dag's own options: each of its parameters as `--name`, with type, default and the words of its docstring."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Mapping, Sequence

import click

from actorflow.cli.complaint import HelpAsked
from actorflow.flows.graph import ParamSpec
from actorflow.flows.hints import annotation_name
from actorflow.flows.types import plain

_REPEATABLE = (list, tuple, set, frozenset)


def read_own_options(
    specs: Sequence[ParamSpec], arguments: Sequence[str], *, doc: str, command: str
) -> Mapping[str, list[str]]:
    """What stands after `--` as texts by parameter name, in the order given.

    command: how the command began, for the help page. Raises HelpAsked, or click.UsageError with a suggestion.
    """
    own = own_command(specs, doc=doc)
    context = own.make_context(f"{command} --", list(arguments), help_option_names=help_names(specs))
    given = {name: _texts(value) for name, value in context.params.items()}
    return {name: texts for name, texts in given.items() if texts}


def own_command(specs: Sequence[ParamSpec], *, doc: str) -> click.Command:
    """The parameters as a click command that does nothing."""
    text = inspect.cleandoc(doc) if doc else ""
    options: list[click.Parameter] = [_option(spec, text) for spec in specs]
    settings = {"token_normalize_func": _with_hyphens, "max_content_width": 100}
    return _OwnCommand("dag", params=options, help=_without_parameters(text, specs), context_settings=settings)


def help_names(specs: Sequence[ParamSpec]) -> list[str]:
    """`--help`, unless the dag has a parameter of that name."""
    return ["-h"] if any(spec.name == "help" for spec in specs) else ["-h", "--help"]


class _OwnCommand(click.Command):
    """Its help is handed to the caller, who knows where results go."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _ask_for_help
        return option


def _ask_for_help(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        raise HelpAsked(ctx.get_help())


def _option(spec: ParamSpec, doc: str) -> click.Option:
    flag = f"--{_with_hyphens(spec.name)}"
    about = parameter_doc(doc, spec.name)
    what = "required" if spec.required else f"default: {_shown_default(spec)}"
    help = f"{about}  [{what}]" if about else f"[{what}]"
    if plain(spec.annotation) is bool:
        names = [f"{flag}/--no-{_with_hyphens(spec.name)}", spec.name]
        return click.Option(names, default=None, help=help)
    return click.Option([flag, spec.name], multiple=True, metavar=annotation_name(spec.annotation), help=help)


def parameter_doc(doc: str, name: str) -> str:
    """What a docstring says of a parameter, on a line `name: ...`, `name (int): ...` or `:param name: ...`."""
    found = re.search(
        rf"^\s*(?::param\s+(?:\w+\s+)?)?{re.escape(name)}\s*(?:\([^)]*\))?\s*:\s*(\S.*)$", doc, re.MULTILINE
    )
    return found.group(1).strip() if found else ""


def _without_parameters(doc: str, specs: Sequence[ParamSpec]) -> str:
    """The docstring without the lines that the options show already."""
    lines = [text for text in doc.splitlines() if not any(parameter_doc(text, spec.name) for spec in specs)]
    return "\n".join(lines).strip()


def _shown_default(spec: ParamSpec) -> str:
    default = spec.default
    if plain(spec.annotation) is bool:
        return f"--{'' if default else 'no-'}{_with_hyphens(spec.name)}"
    return str(default) if isinstance(default, str | int | float) or hasattr(default, "__fspath__") else repr(default)


def _texts(value: object) -> list[str]:
    match value:
        case None:
            return []
        case bool():
            return [str(value).lower()]
        case tuple() | list():
            return [str(text) for text in typing.cast("Sequence[object]", value)]
        case _:
            return [str(value)]


def _with_hyphens(name: str) -> str:
    return name.replace("_", "-")
