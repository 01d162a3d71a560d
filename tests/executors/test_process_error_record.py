"""What an error record keeps of an exception."""

from __future__ import annotations

import contextlib
import json
from typing import TypeVar

import anyio
import pytest

from actorflow.runs.error_record import MAX_FRAMES, MAX_MESSAGE_CHARS, MAX_TRACEBACK_CHARS, error_record

_E = TypeVar("_E", bound=Exception)


class Odd(ValueError):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


def raised(error: _E) -> _E:
    try:
        raise error
    except type(error) as caught:
        return caught


def test_the_type_and_all_its_bases_are_named_by_module_and_qualname() -> None:
    record = error_record(raised(FileNotFoundError(2, "gone")))

    assert record.type == "builtins:FileNotFoundError"
    assert record.bases == (
        "builtins:FileNotFoundError",
        "builtins:OSError",
        "builtins:Exception",
        "builtins:BaseException",
    )
    assert record.message == "[Errno 2] gone"


def test_the_frame_of_the_user_is_not_ours_and_has_its_source_line() -> None:
    record = error_record(raised(ValueError("x")))

    assert [(frame.function, frame.source, frame.ours) for frame in record.frames] == [("raised", "raise error", False)]
    assert "raise error\nValueError: x\n" in record.traceback


def test_a_library_called_by_the_user_is_shown_and_the_loop_below_is_ours() -> None:
    async def parse() -> None:
        json.loads("{")

    with pytest.raises(ValueError) as caught:
        anyio.run(parse)
    by_function = {frame.function: frame.ours for frame in error_record(caught.value).frames}

    assert by_function["parse"] is False
    assert by_function["raw_decode"] is False
    assert by_function["run"] is True


def test_a_library_around_the_user_is_ours() -> None:
    stack = contextlib.ExitStack()
    stack.callback(lambda: 1 // 0)

    with pytest.raises(ZeroDivisionError) as caught:
        stack.close()
    seen_from_the_library = caught.value.with_traceback(caught.tb.tb_next)
    frames = error_record(seen_from_the_library).frames

    assert frames[0].ours
    assert frames[-1].function == "<lambda>"
    assert not frames[-1].ours


def test_a_group_names_its_leaves_and_shares_the_bases_of_all_of_them() -> None:
    group = ExceptionGroup(
        "two", [raised(FileNotFoundError("a")), ExceptionGroup("in", [raised(PermissionError("b"))])]
    )

    record = error_record(raised(group))

    assert record.type == "builtins:ExceptionGroup"
    assert "FileNotFoundError: a; PermissionError: b" in record.message
    assert "builtins:OSError" in record.bases
    assert "builtins:FileNotFoundError" not in record.bases
    assert [frame.function for frame in record.frames] == ["raised", "raised"]


def test_an_exception_whose_text_raises_is_still_a_record() -> None:
    record = error_record(raised(Odd()))

    assert record.message == "<its __str__ raised RuntimeError>"
    assert record.type == f"{__name__}:Odd"


def test_a_deep_recursion_and_a_huge_message_stay_bounded() -> None:
    def down() -> None:
        down()

    with pytest.raises(RecursionError) as caught:
        down()
    deep = error_record(caught.value)
    huge = error_record(raised(ValueError("x" * 1_000_000)))

    assert len(deep.frames) == MAX_FRAMES
    assert len(huge.message) < MAX_MESSAGE_CHARS + 100
    assert len(huge.traceback) < MAX_TRACEBACK_CHARS + 100
