"""The click group: commands are imported when they are called, and the front page needs none of them."""

from __future__ import annotations

import json
from importlib import import_module

import click

from actorflow.cli.complaint import refusal
from actorflow.cli.exits import ExitCode
from actorflow.cli.front import COMMANDS, overview
from actorflow.version import VERSION

HELP_NAMES = {"help_option_names": ["-h", "--help"]}


class LazyGroup(click.Group):
    """A group whose command `x` is `actorflow.cli.<x>.command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"actorflow.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            raise refusal(f"no such command `{args[0]}`", f"did you mean `{near[0]}`?" if near else "actorflow --help")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # who read the answer wants no more of it; click would call that a failure
            return ExitCode.succeeded

    def get_help(self, ctx: click.Context) -> str:
        return overview()


@click.group(cls=LazyGroup, name="actorflow", context_settings=HELP_NAMES, invoke_without_command=True)
@click.option("--version", "wants_version", is_flag=True, help="The version.")
@click.option("-v", "--verbose", is_flag=True, help="With --version: of Python too, and the loop that a run is on.")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
@click.pass_context
def command_line(ctx: click.Context, *, wants_version: bool, verbose: bool, as_json: bool) -> None:
    """Durable pipelines from plain Python files."""
    if verbose and not wants_version:
        raise click.UsageError("-v belongs to --version", ctx)
    if wants_version:
        click.echo(_version(as_json=as_json, verbose=verbose))
        ctx.exit()
    if ctx.invoked_subcommand is None:
        raise click.UsageError("no command given", ctx)


def _version(*, as_json: bool, verbose: bool) -> str:
    if verbose:
        from actorflow.cli.about import about, about_lines

        return json.dumps({"v": 1, **about()}) if as_json else "\n".join(about_lines())
    return json.dumps({"v": 1, "version": VERSION}) if as_json else f"actorflow {VERSION}"
