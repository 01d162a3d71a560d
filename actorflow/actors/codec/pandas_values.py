"""pandas' frames, series, indexes and scalars: as the arrays they are made of, so that nothing is converted on the way.

A column of Python objects travels as a list of values: what stands in it comes back as it was, or is refused by name.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from typing import Any, cast

from .arrow_values import column_of, read_stream, stream_of
from .bodies import Building
from .errors import DecodeError, Refusal, kind_name, shown, type_name
from .numpy_values import library
from .typed import Parts
from .wire import MARKS, Tag, in_or_behind

Lower = Callable[[Any, int], object]

FLOOD_LABELS = 100
"""Labels of one index that may share a hash."""


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


# Decoding


def build(reader: Building, items: list[Any]) -> Any:
    kind, *parts = items[1:]
    found = _BUILDERS.get(kind) if type(kind) is str else None
    if found is None:
        raise DecodeError(f"no kind of a pandas value: {kind!r:.20}")
    return found(library("pandas"), reader, *parts)


def _build_frame(pandas: Any, _: Building, index: Any, columns: Any, attrs: Any, may_repeat: Any, values: Any) -> Any:
    _expect(pandas.Index, index, columns)
    if type(cast("object", values)) is list:
        series = {at: _labelled(pandas, column, index) for at, column in enumerate(values)}
        frame = pandas.DataFrame(series, index=index, copy=False)
        frame.columns = columns
    else:
        _expect(library("numpy").ndarray, values)
        frame = pandas.DataFrame(values, index=index, columns=columns, copy=False)
    return _with_own(frame, attrs, may_repeat)


def _build_series(pandas: Any, _: Building, index: Any, name: Any, attrs: Any, may_repeat: Any, values: Any) -> Any:
    _expect(pandas.Index, index)
    series = _labelled(pandas, values, index)
    series.name = name
    return _with_own(series, attrs, may_repeat)


def _labelled(pandas: Any, values: Any, index: Any) -> Any:
    # Without a dtype, pandas would make text of a column of objects that are all str.
    _expect_array(pandas, values)
    return pandas.Series(values, index=index, dtype=values.dtype, copy=False)


def _with_own(owner: Any, attrs: Any, may_repeat: Any) -> Any:
    if attrs is not None:
        _expect(dict, attrs)
        owner.attrs = attrs
    return owner if may_repeat else owner.set_flags(allows_duplicate_labels=False)


def _build_index(pandas: Any, _: Building, kind: Any, name: Any, values: Any, freq: Any) -> Any:
    _expect_array(pandas, values)
    if values.dtype == object:
        _refuse_flood(values.tolist())
    if freq is None:
        index = pandas.Index(values, dtype=values.dtype, name=name, copy=False)
    elif kind in ("DatetimeIndex", "TimedeltaIndex"):
        index = getattr(pandas, kind)(values, freq=freq, name=name)
    else:
        raise DecodeError("a frequency where there is none")
    if type(index).__name__ != kind:
        raise DecodeError(f"{type(index).__name__} is no {kind!r:.20}")
    return index


def _build_range(pandas: Any, _: Building, start: Any, stop: Any, step: Any, name: Any) -> Any:
    return pandas.RangeIndex(start, stop, step, name=name)


def _build_multi(pandas: Any, _: Building, levels: Any, codes: Any, names: Any) -> Any:
    _expect(list, levels, codes, names)
    _expect(pandas.Index, *levels)
    return pandas.MultiIndex(levels=levels, codes=codes, names=names)


def _build_dates(pandas: Any, _: Building, values: Any, unit: Any, zone: Any) -> Any:
    dates = pandas.array(values.view(f"M8[{_unit(unit)}]"), copy=False)
    return dates if zone is None else dates.tz_localize("UTC").tz_convert(_zone(zone))


def _build_durations(pandas: Any, _: Building, values: Any, unit: Any, __: Any) -> Any:
    return pandas.array(values.view(f"m8[{_unit(unit)}]"), copy=False)


def _build_periods(pandas: Any, _: Building, ordinals: Any, freq: Any) -> Any:
    _expect(str, freq)
    return pandas.arrays.PeriodArray(ordinals, dtype=pandas.PeriodDtype(freq))


def _build_intervals(pandas: Any, _: Building, left: Any, right: Any, closed: Any) -> Any:
    _expect(pandas.Index, left, right)
    return pandas.arrays.IntervalArray.from_arrays(left, right, closed=closed)


def _build_categories(pandas: Any, _: Building, codes: Any, categories: Any, is_ordered: Any) -> Any:
    _expect(pandas.Index, categories)
    return pandas.Categorical.from_codes(codes, dtype=pandas.CategoricalDtype(categories, ordered=is_ordered))


def _build_strings(pandas: Any, reader: Building, storage: Any, is_na: Any, data: Any) -> Any:
    dtype = pandas.StringDtype(storage, na_value=pandas.NA if is_na else float("nan"))
    if storage == "pyarrow":
        return dtype.__from_arrow__(column_of(*read_stream(reader, data)))
    _expect(list, data)
    if any(type(text) is not str and text is not None for text in data):
        raise DecodeError("no text in a column of text")
    return pandas.array(data, dtype=dtype)


def _build_arrow(pandas: Any, reader: Building, data: Any) -> Any:
    return pandas.arrays.ArrowExtensionArray(column_of(*read_stream(reader, data)))


def _build_objects(_: Any, __: Building, values: Any) -> Any:
    _expect(list, values)
    return library("numpy").fromiter(values, dtype=object, count=len(values))


def _build_timestamp(pandas: Any, _: Building, value: Any, unit: Any, zone: Any, fold: Any) -> Any:
    _expect(int, value)
    moment = pandas.Timestamp(library("numpy").datetime64(value, _unit(unit)))
    if zone is not None:
        moment = moment.tz_localize("UTC").tz_convert(_zone(zone))
    return moment if moment.fold == fold else moment.replace(fold=fold)


def _build_timedelta(pandas: Any, _: Building, value: Any, unit: Any) -> Any:
    _expect(int, value)
    return pandas.Timedelta(library("numpy").timedelta64(value, _unit(unit)))


def _build_period(pandas: Any, _: Building, ordinal: Any, freq: Any) -> Any:
    _expect(int, ordinal)
    _expect(str, freq)
    return pandas.Period(ordinal=ordinal, freq=freq)


def _build_interval(pandas: Any, _: Building, left: Any, right: Any, closed: Any) -> Any:
    return pandas.Interval(left, right, closed)


def _build_masked(name: str) -> Callable[..., Any]:
    def masked(pandas: Any, _: Building, values: Any, mask: Any) -> Any:
        return getattr(pandas.arrays, name)(values, mask)

    return masked


def _build_missing(name: str) -> Callable[..., Any]:
    def missing(pandas: Any, _: Building) -> Any:
        return getattr(pandas, name)

    return missing


_BUILDERS: dict[str, Callable[..., Any]] = {
    "frame": _build_frame,
    "series": _build_series,
    "index": _build_index,
    "range": _build_range,
    "multi": _build_multi,
    "dates": _build_dates,
    "durations": _build_durations,
    "periods": _build_periods,
    "intervals": _build_intervals,
    "categories": _build_categories,
    "integers": _build_masked("IntegerArray"),
    "floats": _build_masked("FloatingArray"),
    "booleans": _build_masked("BooleanArray"),
    "strings": _build_strings,
    "arrow": _build_arrow,
    "object": _build_objects,
    "timestamp": _build_timestamp,
    "timedelta": _build_timedelta,
    "period": _build_period,
    "interval": _build_interval,
    "na": _build_missing("NA"),
    "nat": _build_missing("NaT"),
}


def _expect(kind: Any, *values: object) -> None:
    for value in values:
        if not isinstance(value, kind):
            raise DecodeError(f"{kind_name(value)} where {type_name(kind)} was expected")


def _expect_array(pandas: Any, values: object) -> None:
    """numpy's or pandas' own: any other value would have its own idea of being an array."""
    if not isinstance(values, (library("numpy").ndarray, pandas.api.extensions.ExtensionArray)):
        raise DecodeError(f"{kind_name(values)} where an array was expected")


def _unit(unit: object) -> str:
    if unit not in ("s", "ms", "us", "ns"):
        raise DecodeError(f"no unit of time: {unit!r:.20}")
    return str(unit)


def _zone(carrier: object) -> object:
    _expect(time, carrier)
    return cast("time", carrier).tzinfo


def _refuse_flood(labels: list[Any]) -> None:
    """Labels that share a hash take quadratic time in pandas' tables, as keys do in a dict."""
    if len(labels) <= FLOOD_LABELS:
        return
    try:
        hashes = list(map(hash, labels))
    except TypeError:
        return  # a label without a hash is in no table
    for shared, count in Counter(hashes).items():
        if count > FLOOD_LABELS:
            _refuse_many([label for label, found in zip(labels, hashes, strict=True) if found == shared])


def _refuse_many(labels: list[Any]) -> None:
    """Refuse more than FLOOD_LABELS different ones; equal ones are no harm."""
    different: list[Any] = []
    for label in labels:
        if label not in different:
            different.append(label)
        if len(different) > FLOOD_LABELS:
            raise DecodeError(f"more than {FLOOD_LABELS} labels share one hash")
