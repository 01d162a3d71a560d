"""pandas' values from the arrays they are made of; each part is checked to be what pandas takes for granted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import time
from typing import Any, cast

from .arrow_values import column_of, read_stream
from .bodies import Building
from .errors import DecodeError, kind_name, type_name
from .numpy_values import library

FLOOD_LABELS = 100
"""Labels of one index that may share a hash."""


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
