"""The bounds of a channel, and the cutting of bytes into lines."""

from __future__ import annotations

import errno
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow.runs.output import (
    LogFields,
    Origin,
    OutputRecord,
    Stream,
    decode_record,
    encode_record,
    origin_prefix,
)
from actorflow.runs.output_channel import HELD_BYTES, Channel, Piece
from actorflow.runs.output_file import OutputMemory, records_of
from actorflow.runs.output_log import MAX_GAPS, OutputLimits, OutputLog
from actorflow.runs.output_logging import PIPE_BUF, parts_of
from actorflow.runs.output_text import MAX_LINE_BYTES, LineCutter, marked, texts_of
from actorflow.runs.task_context import TaskContext

ORIGIN = Origin("load", 3, 1)
CONTEXT = TaskContext("run", "load", 3, 1)


class Taker:
    """Takes what it is given as long as there is room; keeps what it took."""

    def __init__(self) -> None:
        self.has_room = True
        self.taken: list[Piece] = []

    def put(self, piece: Piece) -> bool:
        if self.has_room:
            self.taken.append(piece)
        return self.has_room

    def put_last(self, piece: Piece) -> None:
        self.taken.append(piece)

    @property
    def told(self) -> list[str | int]:
        """Lines, and for a gap the number of lines dropped."""
        return [
            told
            for piece in self.taken
            for told in ([piece.dropped] if piece.stream is None else piece.data.decode().splitlines())
        ]


def numbered(first: int, count: int) -> bytes:
    return b"".join(b"%d\n" % number for number in range(first, first + count))


def test_within_its_share_everything_goes_straight_on() -> None:
    taker = Taker()
    channel = Channel(ORIGIN, taker, share_bytes=100)

    channel.write(Stream.out, b"a\nb")
    channel.write(Stream.err, b"x\n")
    channel.write(Stream.out, b"c\n")
    channel.end()

    assert taker.told == ["a", "x", "bc"]


def test_beyond_its_share_the_last_lines_are_kept_behind_a_counted_gap() -> None:
    taker = Taker()
    channel = Channel(ORIGIN, taker, share_bytes=100)
    count = HELD_BYTES

    for first in range(0, count, 64):
        channel.write(Stream.out, numbered(first, 64))
    channel.end()

    (gap,) = [told for told in taker.told if isinstance(told, int)]
    lines = [told for told in taker.told if isinstance(told, str)]
    assert lines[-1] == str(count - 1)
    assert gap + len(lines) == count
    assert sum(len(piece.data) for piece in taker.taken) <= HELD_BYTES + 100


def test_when_there_is_room_again_the_gap_stands_at_its_place() -> None:
    taker = Taker()
    channel = Channel(ORIGIN, taker, share_bytes=1 << 20)
    channel.write(Stream.out, b"first\n")
    taker.has_room = False

    channel.write(Stream.out, b"gone\n" * 3 + b"x" * (HELD_BYTES - 1) + b"\n")
    taker.has_room = True
    channel.write(Stream.out, b"again\n")

    assert taker.told == ["first", 3, "x" * (HELD_BYTES - 1), "again"]


def test_what_comes_after_the_end_is_taken_too() -> None:
    taker = Taker()
    channel = Channel(ORIGIN, taker, share_bytes=100)
    channel.end()

    channel.write(Stream.out, b"a thread that was left behind")

    assert taker.told == ["a thread that was left behind"]


def test_the_last_lines_are_known_whatever_was_dropped() -> None:
    channel = Channel(ORIGIN, Taker(), share_bytes=0)

    channel.write(Stream.out, numbered(0, 100_000))
    channel.write(Stream.err, marked("it failed", LogFields("ERROR", "shop")))

    assert channel.last_lines()[-2:] == ("99999", "it failed")
    assert len(channel.last_lines()) == 10


@given(st.lists(st.binary(max_size=40).filter(lambda data: b"\r" not in data)), st.booleans())
def test_cutting_loses_nothing_however_the_bytes_come(chunks: list[bytes], long: bool) -> None:
    chunks = [chunk * (MAX_LINE_BYTES // 16 if long else 1) for chunk in chunks]
    cutter = LineCutter()

    whole = b"".join([*map(cutter.feed, chunks), cutter.end()])

    assert whole.replace(b"\n", b"") == b"".join(chunks).replace(b"\n", b"")
    assert whole == b"" or whole.endswith(b"\n")


def test_a_character_is_not_cut_in_two_where_a_line_is() -> None:
    cutter = LineCutter()

    whole = cutter.feed("ä".encode() * MAX_LINE_BYTES + b"\n")
    whole += cutter.feed(b"a" + "ä".encode() * MAX_LINE_BYTES) + cutter.end()

    assert "\ufffd" not in "".join(line for lines, _ in texts_of(whole) for line in lines)


def test_of_a_line_that_is_drawn_over_itself_the_last_state_is_kept() -> None:
    found = list(texts_of(b"0%\r50%\r100%\nwindows\r\n\r\nup\rdown\r\n"))

    assert found == [(("100%", "windows", "", "down"), None)]


@given(st.integers(1, 400), st.booleans())
def test_a_progress_bar_of_any_length_is_one_line_of_bounded_memory(step: int, after: bool) -> None:
    cutter = LineCutter()
    whole = state = b""
    for percent in range(0, 100 * MAX_LINE_BYTES, step * 100):
        state = f"{percent}: {'#' * 40}".encode()
        whole += cutter.feed(state + b"\r" if after else b"\r" + state)
        assert len(cutter._rest) <= 2 * MAX_LINE_BYTES
    whole += cutter.feed(b"\n")

    assert list(texts_of(whole)) == [((state.decode(),), None)]


def test_a_record_stands_between_the_lines_around_it_even_behind_one_without_an_end() -> None:
    fields = LogFields("INFO", "shop", {"n": 1})

    found = list(texts_of(b"a\nno end" + marked("two\nlines", fields) + b"b\n"))

    assert found == [(("a", "no end"), None), (("two", "lines"), fields), (("b",), None)]


@given(st.text(), st.text(), st.dictionaries(st.text(max_size=9), st.text(max_size=2000), max_size=4))
def test_a_record_of_any_length_crosses_in_writes_that_nobody_tears(
    text: str, logger: str, extra: dict[str, object]
) -> None:
    text = text * 50
    parts = parts_of(text, LogFields("INFO", logger, extra))

    found = list(texts_of(b"".join(parts)))

    assert all(len(part) <= PIPE_BUF for part in parts)
    assert "".join(line for lines, _ in found for line in lines) == text.replace("\n", "")
    assert {fields.logger for _, fields in found if fields is not None} == {logger[:512] if len(parts) > 1 else logger}


@pytest.mark.parametrize(
    "record",
    [
        OutputRecord(ORIGIN, 1.5, Stream.out, ("a", "\x1b[31mä\udcff\n")),
        OutputRecord(Origin("load", None, 2), 1.5, Stream.log, ("a",), LogFields("INFO", "x", {"n": [1]})),
        OutputRecord(Origin(worker="process-1"), 1.5, Stream.err, ("",)),
        OutputRecord(Origin(), 1.5, None, dropped=7),
    ],
)
def test_a_record_is_read_as_it_was_written(record: OutputRecord) -> None:
    line = encode_record(record)

    assert decode_record(line) == record
    assert line.startswith(origin_prefix(record.origin))
    assert line.isascii()
    assert line.count(b"\n") == 1


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"task":"a","map_index":null,"attempt":1,"ts":1,"stre', b"\xff"])
def test_what_is_no_record_is_passed_over(line: bytes) -> None:
    good = encode_record(OutputRecord(ORIGIN, 1.0, Stream.out, ("a",)))

    assert [record.lines for record in records_of([good, line, good])] == [("a",), ("a",)]


class Blocked(OutputMemory):
    """A sink that does not keep pace until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.let = threading.Event()

    def write(self, data: bytes) -> None:
        self.entered.set()
        assert self.let.wait(60)
        super().write(data)


def kept(sink: OutputMemory) -> list[OutputRecord]:
    return list(records_of(sink.lines()))


def counts(records: Sequence[OutputRecord]) -> tuple[int, int]:
    """Lines kept, and lines dropped."""
    return sum(len(record.lines) for record in records), sum(record.dropped for record in records)


def test_a_writer_that_stands_still_holds_up_nobody_and_every_line_is_kept_or_counted() -> None:
    sink = Blocked()
    limits = OutputLimits(waiting_bytes=64 * 1024)
    log = OutputLog(sink, limits=limits)
    channel = log.attempt(CONTEXT)

    for first in range(0, 1_000_000, 5000):
        channel.write(Stream.out, numbered(first, 5000))
    assert sink.entered.wait(60)
    channel.end()
    sink.let.set()
    log.close()

    lines, dropped = counts(kept(sink))
    assert lines + dropped == 1_000_000
    assert lines < 100_000
    assert kept(sink)[-1].lines[-1] == "999999"


def test_what_all_attempts_print_together_is_bounded_and_the_rest_counted() -> None:
    sink = OutputMemory()
    log = OutputLog(sink, limits=OutputLimits(run_bytes=100_000))

    for index in range(100):
        channel = log.attempt(TaskContext("run", "load", index, 1))
        channel.write(Stream.out, numbered(0, 2000))
        channel.end()
    log.close()

    lines, dropped = counts(kept(sink))
    assert lines + dropped == 200_000
    assert sum(len(line) for record in kept(sink) for line in record.lines) <= 125_000


def test_a_log_in_memory_forgets_its_oldest_lines() -> None:
    sink = OutputMemory(max_bytes=10_000)
    log = OutputLog(sink)
    channel = log.attempt(CONTEXT)

    for number in range(1000):
        channel.write(Stream.out, b"%d\n" % number)
    log.close()

    assert sum(map(len, sink.lines())) <= 10_000
    assert kept(sink)[-1].lines == ("999",)


def test_a_listener_that_fails_costs_no_line(caplog: pytest.LogCaptureFixture) -> None:
    def fail(records: Sequence[OutputRecord]) -> None:
        raise ValueError("no")

    sink = OutputMemory()
    log = OutputLog(sink, listener=fail)

    log.attempt(CONTEXT).write(Stream.out, b"a\n")
    log.close()

    assert [record.lines for record in kept(sink)] == [("a",)]
    assert "a listener to the output of tasks failed" in caplog.text


def test_a_silent_run_starts_nothing() -> None:
    log = OutputLog(OutputMemory())

    log.attempt(CONTEXT).end()

    assert log.is_silent
    log.close()


class Full(OutputMemory):
    """A sink without room until there is."""

    def __init__(self) -> None:
        super().__init__()
        self.is_full = True
        self.tried = threading.Semaphore(0)

    def write(self, data: bytes) -> None:
        try:
            if self.is_full:
                raise OSError(errno.ENOSPC, "no room")
            super().write(data)
        finally:
            self.tried.release()


def test_lines_for_which_there_is_no_room_are_counted_and_told_once_and_then_it_goes_on() -> None:
    sink, heard = Full(), list[OutputRecord]()
    log = OutputLog(sink, listener=heard.extend)
    loud, quiet = log.attempt(TaskContext("r1", "loud", None, 1)), log.attempt(TaskContext("r1", "quiet", None, 1))

    for number in range(3):
        loud.write(Stream.out, f"{number}\n{number}\n".encode())
        assert sink.tried.acquire(timeout=60)
    quiet.write(Stream.out, b"lost\n")
    assert sink.tried.acquire(timeout=60)
    sink.is_full = False
    loud.write(Stream.out, b"kept\n")
    log.close()

    assert [(record.origin.task, record.dropped, record.lines) for record in kept(sink)] == [
        ("loud", 6, ()),
        ("quiet", 1, ()),
        ("loud", 0, ("kept",)),
    ]
    assert [record.lines for record in heard if record.origin.task is None] == [
        ("what tasks print is not kept for now: no room",),
        ("what tasks print is kept again; 7 lines were not",),
    ]
    assert [line for record in heard if record.origin.task for line in record.lines] == [*"001122", "lost", "kept"]


def test_where_there_is_no_room_to_the_end_nothing_is_raised() -> None:
    sink = Full()
    log = OutputLog(sink)
    log.attempt(TaskContext("r1", "a", None, 1)).write(Stream.out, b"lost\n")

    log.close()

    assert kept(sink) == []


def test_lines_lost_by_more_attempts_than_are_counted_apart_are_the_runs() -> None:
    sink, counted = Full(), threading.Semaphore(0)
    log = OutputLog(sink)
    log.watch(counted.release)
    for number in range(MAX_GAPS + 5):
        log.attempt(TaskContext("r1", "a", number, 1)).write(Stream.out, b"lost\n")
    while sum(log._unkept.values()) < MAX_GAPS + 5:
        assert counted.acquire(timeout=60)
    sink.is_full = False
    log.close()

    assert counts(kept(sink)) == (0, MAX_GAPS + 5)
    assert len(kept(sink)) == MAX_GAPS + 1
