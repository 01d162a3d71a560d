"""What worker processes print: captured at its descriptors, attempt by attempt, and kept after their death."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from actorflow.runs.executor import AttemptState, Cause
from actorflow.runs.output import Origin, OutputRecord, Stream
from actorflow.runs.output_channel import HELD_BYTES
from actorflow.runs.output_file import OutputMemory, records_of
from actorflow.runs.output_log import OutputLimits, OutputLog
from actorflow.runs.output_text import MAX_LINE_BYTES
from tests.executors import printing_tasks as tasks
from tests.faults.leaks import leak_audit as leak_audit
from tests.faults.process_site import Bench, Pipe, bench
from tests.faults.process_site import pipe as pipe

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]

MODULE = "tests.executors.printing_tasks"
FILE = str(Path(__file__).with_name("printing_tasks.py"))


class Printed:
    """An open executor, and once it is closed, what its tasks printed."""

    def __init__(self, site: Bench) -> None:
        self.site = site
        self.records: list[OutputRecord] = []

    async def run(self, task: Callable[..., object], *, map_index: int | None = None, **arguments: object) -> object:
        outcome = await self.site.attempt(f"{MODULE}:{task.__name__}", arguments, map_index=map_index)
        assert outcome.state is AttemptState.succeeded, outcome.error
        assert outcome.value is not None
        return outcome.value.get()

    def lines(self, *streams: Stream, map_index: int | None = None) -> list[str]:
        origin = Origin("step", map_index, 1)
        return [
            line
            for record in self.records
            if record.origin == origin and record.stream in (streams or tuple(Stream))
            for line in record.lines
        ]

    @property
    def dropped(self) -> int:
        return sum(record.dropped for record in self.records)


@asynccontextmanager
async def printed(workers: int = 1, limits: OutputLimits | None = None) -> AsyncGenerator[Printed]:
    kept = OutputMemory()
    log = OutputLog(kept, limits=limits)
    async with bench(workers, module=MODULE, file=FILE, output=log) as site:
        made = Printed(site)
        yield made
    log.close()
    made.records = list(records_of(kept.lines()))


async def test_whatever_writes_to_the_descriptors_is_heard() -> None:
    async with printed() as output:
        await output.run(tasks.every_way)

    assert output.lines(Stream.out) == ["by print", "by os.write", "by puts", "by a child"]
    assert output.lines(Stream.err) == ["by print to stderr", "by a child to stderr"]


async def test_each_stream_keeps_its_order_where_both_are_written_in_turn() -> None:
    async with printed() as output:
        await output.run(tasks.interleaved, count=5000)

    assert output.lines(Stream.out) == [f"out {number}" for number in range(5000)]
    assert output.lines(Stream.err) == [f"err {number}" for number in range(5000)]


async def test_each_line_belongs_to_the_attempt_that_printed_it() -> None:
    async with printed() as output:
        for index in range(20):
            await output.run(tasks.prints, map_index=index, count=index)

    for index in range(20):
        assert output.lines(map_index=index) == [f"line {number}" for number in range(index)]


@pytest.mark.parametrize("how", ["segfault", "SIGKILL"])
async def test_the_last_lines_outlive_the_process_and_stand_in_the_error(how: str) -> None:
    async with printed() as output:
        outcome = await output.site.attempt(f"{MODULE}:ends", {"how": how})

    assert outcome.cause is Cause.lost
    assert output.lines(Stream.out) == ["the last line", "and without an end"]
    assert outcome.error is not None
    assert "; it last wrote:\n" in outcome.error.message
    assert ("Segmentation fault" if how == "segfault" else "the last line") in "\n".join(output.lines())


async def test_of_many_lines_before_a_segfault_the_last_one_is_kept_and_those_dropped_are_counted() -> None:
    limits = OutputLimits(attempt_bytes=10_000)
    async with printed(limits=limits) as output:
        outcome = await output.site.attempt(f"{MODULE}:many_then_segfault", {"count": 50_000})

    lines = output.lines(Stream.out)
    assert outcome.cause is Cause.lost
    assert (lines[0], lines[-1]) == ("line 0", "line 49999")
    assert len(lines) + output.dropped == 50_000
    assert output.dropped > 0


async def test_nothing_of_50_000_lines_is_lost_within_the_bounds() -> None:
    async with printed() as output:
        await output.run(tasks.prints, count=50_000)

    assert output.lines() == [f"line {number}" for number in range(50_000)]


async def test_a_process_left_behind_that_holds_the_pipes_keeps_nobody_waiting() -> None:
    async with printed() as output:
        await output.run(tasks.leaves_a_writer)
        await output.run(tasks.prints, map_index=1, count=1)

    assert output.lines() == ["left"]
    assert output.lines(map_index=1) == ["line 0"]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"\xff\xfe and \xc3\xa4\n", ["\ufffd\ufffd and ä"]),
        (b"one\r\ntwo\r\n", ["one", "two"]),
        (b"\n\n", ["", ""]),
        (b"no end", ["no end"]),
        (b"\x1e\x1factorflow not a record\n", ["\x1e\x1factorflow not a record"]),
    ],
)
async def test_bytes_of_any_kind_become_lines(data: bytes, lines: list[str]) -> None:
    async with printed() as output:
        await output.run(tasks.bytes_of, data=data)

    assert output.lines() == lines


async def test_text_that_cannot_be_encoded_fails_no_task() -> None:
    async with printed() as output:
        await output.run(tasks.surrogate)

    assert output.lines() == ["a\\udcffb"]


async def test_a_line_without_an_end_is_cut() -> None:
    async with printed() as output:
        await output.run(tasks.long_line, size=1_000_000)

    assert max(map(len, output.lines())) <= MAX_LINE_BYTES
    assert "".join(output.lines()) == "x" * 1_000_000


async def test_records_of_logging_keep_level_name_extras_and_their_place() -> None:
    async with printed() as output:
        await output.run(tasks.logs)

    assert output.lines() == ["before", "order 7 is late", "after"]
    (logged,) = [record for record in output.records if record.stream is Stream.log]
    assert logged.fields is not None
    assert (logged.fields.level, logged.fields.logger) == ("WARNING", "shop.orders")
    assert logged.fields.extra == {"order": 7, "where": repr(Path("/x"))}


async def test_what_the_user_configured_decides_which_records_there_are_and_how_they_read() -> None:
    async with printed() as output:
        await output.run(tasks.logs_as_configured)

    assert output.lines(Stream.out, Stream.err) == []
    assert output.lines(Stream.log) == ["DEBUG <fine>"]


async def test_a_long_record_arrives_whole() -> None:
    async with printed() as output:
        await output.run(tasks.logs_a_failure)

    lines = output.lines(Stream.log)
    assert lines[:2] == ["it failed", "Traceback (most recent call last):"]
    assert "".join(lines).endswith("ä" * 5000)
    assert output.lines(Stream.out, Stream.err) == []


async def test_a_task_that_prints_without_a_pause_holds_up_no_other(pipe: Pipe, tmp_path: Path) -> None:
    """Counted, not timed: the other worker answers all its attempts while the first one is printing."""
    enough = tmp_path / "enough"
    limits = OutputLimits(attempt_bytes=1 << 20)
    counts: list[object] = []

    async with printed(workers=2, limits=limits) as output:

        async def print_on() -> None:
            counts.append(await output.run(tasks.prints_until_told, began=pipe.path, enough=str(enough)))

        async with anyio.create_task_group() as group:
            group.start_soon(print_on)
            assert await pipe.line() == "yes"
            for index in range(200):
                await output.run(tasks.prints, map_index=index, count=1)
            assert counts == []
            enough.touch()

    lines = len(output.lines())
    assert lines + output.dropped == counts[0]
    assert lines * 101 <= limits.attempt_bytes + HELD_BYTES
    assert all(output.lines(map_index=index) == ["line 0"] for index in range(200))


@pytest.mark.slow
async def test_a_million_lines_are_all_kept_or_counted() -> None:
    async with printed(limits=OutputLimits(attempt_bytes=4 << 20)) as output:
        await output.run(tasks.prints, count=1_000_000)

    lines = output.lines()
    assert len(lines) + output.dropped == 1_000_000
    assert lines[-1] == "line 999999"
