"""polars' frames and series: through Arrow, with the dtypes they had, or refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

from .arrow_values import read_stream, stream_of
from .bodies import Building
from .errors import DecodeError, Refusal, shown
from .numpy_values import library
from .typed import Parts
from .wire import MARKS, Tag, in_or_behind

Lower = Callable[[Any, int], object]


def plan_for(_: Parts, cls: type[object]) -> Lower | None:
    """How to lower values of a polars class; None for one that does not travel."""
    polars: Any = sys.modules["polars"]
    if cls is polars.DataFrame:
        return lambda frame, _: _lowered(polars, "frame", frame)
    if cls is polars.Series:
        return lambda series, _: _lowered(polars, "series", series.to_frame())
    return None


def _lowered(polars: Any, kind: str, frame: Any) -> object:
    _import_arrow()
    for name, dtype in frame.schema.items():
        _refuse_dtype(polars, name, dtype)
    if frame.height and not frame.width:
        reason, help = "it has rows without columns", "send its height"
        raise Refusal(type_name="polars.DataFrame", reason=reason, help=help)
    table = frame.to_arrow().rename_columns(_numbered(frame.width))
    stream = stream_of(table.schema, table.to_batches())
    return [MARKS[Tag.POLARS], kind, frame.columns, in_or_behind(stream, Tag.BUFFER)]


def _numbered(width: int) -> list[str]:
    """Names for Arrow's columns; polars takes an empty one for none, and so makes one up."""
    return [str(number) for number in range(width)]


def _import_arrow() -> None:
    try:
        library("pyarrow")
    except DecodeError as exc:
        raise Refusal(type_name="polars.DataFrame", reason=str(exc), help="install actorflow[polars]") from None


def _refuse_dtype(polars: Any, name: str, dtype: Any) -> None:
    """Raise a Refusal for a dtype that Arrow would change or cannot hold."""
    try:
        table = polars.Series("0", [], dtype=dtype).to_frame().to_arrow()
        same: object = polars.from_arrow(table).schema["0"] == dtype
    except Exception as exc:  # noqa: BLE001 - polars and pyarrow say so in many ways
        same, reason = False, f"it has no place in Arrow: {exc}"
    else:
        reason = "it would come back as another dtype"
    if not same:
        help = "cast it to a dtype that Arrow has, or send plain values"
        raise Refusal(type_name=f"polars {dtype!r:.60}", reason=reason, help=help).under(f"[{shown(name)}]")


def build(reader: Building, items: list[Any]) -> Any:
    kind, names, data = items[1:]
    polars = library("polars")
    schema, batches = read_stream(reader, data)
    table = sys.modules["pyarrow"].Table.from_batches(batches, schema)
    try:
        frame = polars.from_arrow(table)
    except BaseException as exc:
        if type(exc).__name__ != "PanicException":  # polars' own fault, which is no Exception
            raise
        raise DecodeError(f"polars cannot read it: {exc}") from exc
    if type(names) is not list or frame.width != len(cast("list[object]", names)):
        raise DecodeError("not one name for each column")
    frame.columns = names
    if kind == "frame":
        return frame
    if kind != "series":
        raise DecodeError(f"no kind of a polars value: {kind!r:.20}")
    (series,) = frame.get_columns()
    return series
