"""The tree of a system as people see it: every actor a row, below its parent, and nothing that a terminal obeys."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from actorflow import print_tree
from actorflow.actors.actor import Actor
from actorflow.actors.handler import handler
from actorflow.actors.observer import ActorTree
from actorflow.actors.system import ActorSystem
from actorflow.actors.tree_view import MAX_SIBLINGS, age, text_lines
from actorflow_supervisors import Crashed, ExitReason, Normal
from actorflow_supervisors.tree import ChildState


def tree(path: str, *children: ActorTree, last_exit: ExitReason | None = None, handler: str | None = None) -> ActorTree:
    return ActorTree(
        path=path,
        actor="Worker",
        state=ChildState.running,
        incarnation=1,
        restarts=0,
        last_exit=last_exit,
        queued_messages=3,
        capacity=1000,
        handled_messages=12345,
        age_s=61.0,
        current_handler=handler,
        children=children,
    )


def test_children_stand_below_their_parents() -> None:
    lines = text_lines(
        each.to_json() for each in (tree("etl", tree("etl/load", tree("etl/load/0")), tree("etl/save")), tree("web"))
    )

    assert [line.partition("  running")[0].rstrip() for line in lines[1:]] == [
        "etl",
        "├─ load",
        "│  └─ 0",
        "└─ save",
        "web",
    ]


def test_a_row_tells_all_about_its_actor() -> None:
    shown = tree("etl", last_exit=Crashed(ValueError("bad row")), handler="load")

    headings, row = text_lines([shown.to_json()])

    assert headings.split("  ")[0] == "ACTOR"
    assert row.split()[:8] == ["etl", "running", "3/1,000", "12,345", "0", "1m", "01s", "load"]
    assert "ValueError: bad row" in row


def test_of_many_siblings_the_first_are_shown_and_the_rest_counted() -> None:
    many = tree("pool", *[tree(f"pool/{number}") for number in range(MAX_SIBLINGS + 1000)])

    lines = text_lines([many.to_json()])

    assert len(lines) == 1 + 1 + MAX_SIBLINGS + 1
    assert lines[-2].startswith("├─ ")
    assert lines[-1] == "└─ 1,000 more"


def test_control_characters_and_line_ends_in_names_and_errors_do_not_reach_a_terminal() -> None:
    shown = tree("\x1b[31mred\n", last_exit=Crashed(ValueError("first\x07\nsecond")))

    text = "\n".join(text_lines([shown.to_json()]))

    assert "\x1b" not in text
    assert "\x07" not in text
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0s"),
        (59.9, "59s"),
        (60.0, "1m 00s"),
        (3599.0, "59m 59s"),
        (3600.0, "1h 00m"),
        (86399.0, "23h 59m"),
        (86400.0, "1d 00h"),
    ],
)
def test_ages_are_told_in_two_units(seconds: float, words: str) -> None:
    assert age(seconds) == words


class Worker(Actor):
    @handler
    async def work(self) -> None: ...

    @handler
    async def fail(self) -> None:
        raise ValueError("bad row")


class Parent(Actor):
    async def started(self) -> None:
        await self.context.spawn(Worker, name="worker")


@pytest.mark.anyio
async def test_a_running_system_is_printed_with_restarts_and_last_exits() -> None:
    out = io.StringIO()
    async with ActorSystem() as system:
        await system.spawn(Parent, name="etl")
        worker = system.whereis("etl/worker")
        assert worker is not None
        await worker.tell(Worker.fail)
        await system.down(worker)
        await worker.ask(Worker.work)

        print_tree(system.tree(), console=Console(file=out, width=120))

    headings, parent, child = out.getvalue().splitlines()
    assert headings.split()[:3] == ["ACTOR", "STATE", "MAILBOX"]
    assert parent.split()[:2] == ["etl", "running"]
    assert child.startswith("└─ worker  running")
    assert "ValueError: bad row" in child


def test_a_narrow_terminal_keeps_the_numbers_whole() -> None:
    out = io.StringIO()

    print_tree(
        [tree("a-name-that-is-longer-than-others", last_exit=Normal(), handler="load_all")],
        console=Console(file=out, width=80),
    )

    _, row = out.getvalue().splitlines()
    assert all(cell in row for cell in ("running", "3/1,000", "12,345", "1m 01s", "load_all"))
    assert max(map(len, out.getvalue().splitlines())) <= 80
