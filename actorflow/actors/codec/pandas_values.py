"""pandas' frames, series, indexes and scalars: as the arrays they are made of, so that nothing is converted on the way.

A column of Python objects travels as a list of values: what stands in it comes back as it was, or is refused by name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from typing import Any, cast

from .arrow_values import stream_of
from .errors import Refusal, kind_name, shown, type_name
from .typed import Parts
from .wire import MARKS, Tag, in_or_behind

Lower = Callable[[Any, int], object]


@dataclass(frozen=True, slots=True)
class _Lowering:
    """Lowers the parts of one pandas value."""

    pandas: Any
    parts: Parts
    depth: int

    def part(self, value: object, step: str = "") -> object:
        try:
            return self.parts.part(value, self.depth - 1)
        except Refusal as refusal:
            raise (refusal.under(step) if step else refusal) from None

    def values(self, labelled: Any, step: str = "") -> object:
        """The array of a series or an index."""
        array = labelled.array
        if type(array) is not self.pandas.arrays.NumpyExtensionArray:
            return self.part(array, step)
        values = labelled.to_numpy()
        if values.dtype != object:
            return self.part(values, step)
        return [MARKS[Tag.PANDAS], "object", self.part(values.tolist(), step)]


def plan_for(parts: Parts, cls: type[object]) -> Lower | None:
    """How to lower values of a pandas class; None for one that does not travel."""
    pandas: Any = sys.modules["pandas"]
    found = _PLANS.get(cls.__name__)
    homes = (pandas, pandas.arrays, pandas.api.typing)
    if found is None or not any(getattr(home, cls.__name__, None) is cls for home in homes):
        return None
    kind, lower = found

    def plan(value: Any, depth: int) -> object:
        if depth <= 0:
            raise Refusal(
                type_name=type_name(cls),
                reason="it is nested deeper than the limit",
                help="flatten it, or raise Limits(max_depth=)",
            )
        return [MARKS[Tag.PANDAS], kind, *lower(_Lowering(pandas, parts, depth), value)]

    return plan


def _frame(low: _Lowering, frame: Any) -> list[object]:
    return [
        low.part(frame.index, ".index"),
        low.part(frame.columns, ".columns"),
        *_own(low, frame),
        _block(low, frame) or [low.values(frame.iloc[:, at], f"[{shown(name)}]") for at, name in enumerate(frame)],
    ]


def _block(low: _Lowering, frame: Any) -> object:
    """A frame of numbers of one dtype as one array; None for any other."""
    dtypes = frame.dtypes.tolist()
    numpy: Any = sys.modules["numpy"]
    if len(dtypes) < 2 or dtypes.count(dtypes[0]) < len(dtypes) or not isinstance(dtypes[0], numpy.dtype):
        return None
    return low.part(frame.to_numpy()) if dtypes[0].kind in "biufc" else None


def _series(low: _Lowering, series: Any) -> list[object]:
    return [
        low.part(series.index, ".index"),
        low.part(series.name, ".name"),
        *_own(low, series),
        low.values(series),
    ]


def _own(low: _Lowering, owner: Any) -> list[object]:
    attrs = dict(owner.attrs)
    return [low.part(attrs, ".attrs") if attrs else None, owner.flags.allows_duplicate_labels]


def _index(low: _Lowering, index: Any) -> list[object]:
    return [type(index).__name__, low.part(index.name, ".name"), low.values(index), _freq(low, index)]


def _freq(low: _Lowering, index: Any) -> str | None:
    """The frequency of dates or durations, which is a property of such an index; raises Refusal."""
    if not isinstance(index, low.pandas.DatetimeIndex | low.pandas.TimedeltaIndex) or index.freq is None:
        return None
    text = cast("str", index.freq.freqstr)
    try:
        same: object = low.pandas.tseries.frequencies.to_offset(text) == index.freq
    except ValueError:
        same = False
    if same is not True:
        reason = f"its frequency {text} would come back as another one"
        raise Refusal(type_name=kind_name(index), reason=reason, help="set index.freq = None")
    return text


def _multi(low: _Lowering, index: Any) -> list[object]:
    levels = [low.part(level, f".levels[{at}]") for at, level in enumerate(index.levels)]
    return [levels, [low.part(codes) for codes in index.codes], low.part(list(index.names), ".names")]


def _moments(low: _Lowering, array: Any) -> list[object]:
    zone = getattr(array, "tz", None)
    return [low.part(array.asi8), array.unit, low.part(time(tzinfo=zone)) if zone is not None else None]


def _masked(low: _Lowering, array: Any) -> list[object]:
    zero = array.dtype.numpy_dtype.type(0)
    return [low.part(array.to_numpy(dtype=array.dtype.numpy_dtype, na_value=zero)), low.part(array.isna())]


def _strings(low: _Lowering, array: Any) -> list[object]:
    dtype = array.dtype
    is_na = dtype.na_value is low.pandas.NA
    if dtype.storage == "pyarrow":
        return [dtype.storage, is_na, _arrow(low, array)[0]]
    missing = array.isna().tolist()
    values = [None if gone else value for value, gone in zip(array.tolist(), missing, strict=True)]
    return [dtype.storage, is_na, low.part(values)]


def _arrow(_: _Lowering, array: Any) -> list[object]:
    pa: Any = sys.modules["pyarrow"]
    column = array.__arrow_array__()
    schema = pa.schema([pa.field("value", column.type)])
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    batches = [pa.RecordBatch.from_arrays([chunk], schema=schema) for chunk in chunks]
    return [in_or_behind(stream_of(schema, batches), Tag.BUFFER)]


def _timestamp(low: _Lowering, value: Any) -> list[object]:
    zone = None if value.tz is None else low.part(time(tzinfo=value.tz))
    return [int(value.asm8.astype("i8")), value.unit, zone, value.fold]


_PLANS: dict[str, tuple[str, Callable[[_Lowering, Any], list[object]]]] = {
    "DataFrame": ("frame", _frame),
    "Series": ("series", _series),
    "RangeIndex": ("range", lambda low, index: [index.start, index.stop, index.step, low.part(index.name, ".name")]),
    "MultiIndex": ("multi", _multi),
    **dict.fromkeys(
        ("Index", "DatetimeIndex", "TimedeltaIndex", "PeriodIndex", "CategoricalIndex", "IntervalIndex"),
        ("index", _index),
    ),
    "DatetimeArray": ("dates", _moments),
    "TimedeltaArray": ("durations", _moments),
    "PeriodArray": ("periods", lambda low, array: [low.part(array.asi8), array.freqstr]),
    "IntervalArray": (
        "intervals",
        lambda low, array: [low.part(array.left, ".left"), low.part(array.right, ".right"), array.closed],
    ),
    "Categorical": (
        "categories",
        lambda low, array: [low.part(array.codes), low.part(array.categories, ".categories"), bool(array.ordered)],
    ),
    "IntegerArray": ("integers", _masked),
    "FloatingArray": ("floats", _masked),
    "BooleanArray": ("booleans", _masked),
    **dict.fromkeys(("StringArray", "ArrowStringArray"), ("strings", _strings)),
    "ArrowExtensionArray": ("arrow", _arrow),
    "Timestamp": ("timestamp", _timestamp),
    "Timedelta": ("timedelta", lambda _, value: [int(value.asm8.astype("i8")), value.unit]),
    "Period": ("period", lambda _, value: [value.ordinal, value.freqstr]),
    "Interval": ("interval", lambda low, value: [low.part(value.left), low.part(value.right), value.closed]),
    "NAType": ("na", lambda _, __: []),
    "NaTType": ("nat", lambda _, __: []),
}
"""Class: the kind it travels as, and its parts. SparseArray is missing on purpose: make it dense."""
