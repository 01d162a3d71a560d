"""Arrays, tables and scalars of numpy, pandas, polars and pyarrow, and what it means that two of them are the same."""

from __future__ import annotations

import datetime as dt
import decimal
import importlib
import math
import warnings
import zoneinfo
from typing import Any, cast

from tests.actors.test_codec import same

# Any: what these libraries say of their types is not what is tested here.
np: Any = importlib.import_module("numpy")
pd: Any = importlib.import_module("pandas")
pl: Any = importlib.import_module("polars")
pa: Any = importlib.import_module("pyarrow")
pl_testing: Any = importlib.import_module("polars.testing")

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")

PAIR = np.dtype([("a", "<i4"), ("b", ">f8", (2, 3))])
PADDED = np.dtype([("a", "i1"), ("b", [("x", "f8"), (("title", "y"), "U3")])], align=True)

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # numpy 2.5: nobody should make them, but there are some
    WITHOUT_UNIT = np.array([3], "m8"), np.array(["NaT"], "M8")
    ONE_WITHOUT_UNIT = WITHOUT_UNIT[0][0]

ARRAYS: list[Any] = [
    *(np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(12.0).reshape(3, 4)), np.arange(24).reshape(2, 3, 4).T),
    *(np.arange(20)[::3], np.arange(12).reshape(3, 4)[:, 1], np.arange(5)[::-1], np.arange(24).reshape(2, 3, 4)[:, 1]),
    *(np.array(3.5), np.array("text"), np.zeros(0), np.zeros((0, 3)), np.zeros((3, 0, 2)), np.zeros((0, 2**40), "i1")),
    *(np.array([1, 2], dtype) for dtype in "bBhHiIlLqQefdgFDG?"),
    *(np.array([1, 2], dtype).astype(np.dtype(dtype).newbyteorder()) for dtype in ("i2", "u8", "f4", "c16", "U2")),
    *(np.array([True, False]), np.array([math.nan, -0.0, math.inf, 5e-324]), np.array([1j, complex(math.nan, -0.0)])),
    *(np.array(["a", "é€😀", "\0x", ""]), np.array([b"a", b"\xff\0"]), np.array([b"12345"], "V5"), np.array([""])),
    *(np.array(["2020-01-01", "NaT"], f"M8[{unit}]") for unit in ("D", "s", "ns", "Y")),
    *(np.array([1, -(2**63)]).view("m8[25us]"), *WITHOUT_UNIT),
    *(np.zeros(3, PAIR), np.ones((2, 2), PADDED), np.zeros(2, []), np.zeros(2, "S0"), np.zeros((2, 2), [("x", "V0")])),
    *(np.arange(50_000.0), np.asfortranarray(np.ones((300, 400))), np.zeros((3, 70_000), "S1")[:, ::2]),
    np.array(["x", "long" * 50, ""], np.dtypes.StringDType()),
    np.array([["x", None], [None, "\0y"]], np.dtypes.StringDType(na_object=None)),
    np.array(["x", math.nan], np.dtypes.StringDType(na_object=math.nan, coerce=False)),
]

NUMPY_SCALARS: list[Any] = [
    *(np.dtype(code).type(1) for code in "bBhHiIlLqQefdgFDG?"),
    *(np.float64(math.nan), np.float64(-0.0), np.longdouble(1) / 3, np.str_("a\0"), np.str_(""), np.bytes_(b"a\0")),
    *(np.datetime64("2020-01-01"), np.datetime64("NaT", "ns"), np.timedelta64(3, "25s"), ONE_WITHOUT_UNIT),
    *(np.zeros(1, PAIR)[0], np.void(b"abc")),
]

NUMPY_DTYPES: list[Any] = [np.dtype("i4"), np.dtype(">u2"), np.dtype("U7"), np.dtype("M8[3D]"), PAIR, PADDED]

OBJECTS: list[Any] = [
    *(None, math.nan, True, 1, 2**70, 1.5, "x", b"x", [1, (2,)], {"k": {1}}, decimal.Decimal("1.10"), np.int8(1)),
    *(dt.date(2020, 1, 1), dt.datetime(2020, 1, 1, tzinfo=BERLIN), pd.NA, pd.NaT, pd.Timestamp("2020", tz="UTC")),
    *(pd.Timedelta("3s"), pd.Period("2020-03", "M"), pd.Interval(0, 1.5, "both"), np.arange(3)),
]

PANDAS_ARRAYS: dict[str, Any] = {
    "int": np.arange(3),
    "big-endian": np.arange(3, dtype=">i2"),
    "float": np.array([1.5, math.nan, -0.0]),
    "object": pd.Series([None, math.nan, "x"], dtype=object),
    "only str, as objects": pd.Series(["x", "y", "z"], dtype=object),
    "text": pd.Series(["x", None, "z"], dtype="str"),
    "python text": pd.array(["x", None, "z"], dtype=pd.StringDtype("python")),
    "arrow text": pd.array(["x", None, "z"], dtype=pd.StringDtype("pyarrow")),
    "python text with nan": pd.array(["x", None, "z"], dtype=pd.StringDtype("python", na_value=math.nan)),
    "Int8": pd.array([1, None, 3], dtype="Int8"),
    "Float64": pd.arrays.FloatingArray(np.array([math.nan, 1, 2]), np.array([False, False, True])),
    "boolean": pd.array([True, None, False], dtype="boolean"),
    "category": pd.Categorical(["b", None, "a"], categories=["b", "a", "c"], ordered=True),
    "category of dates": pd.Categorical(pd.to_datetime(["2020-01-01", None, "2021-01-01"])),
    "dates": pd.array(np.array(["2020-01-01", "NaT", "2021-01-01"], "M8[s]")),
    "dates with zone": pd.Series(pd.date_range("2020-10-25", periods=3, freq="h", tz="Europe/Berlin")).array,
    "dates with offset": pd.Series(pd.date_range("2020", periods=3, tz=dt.timezone(dt.timedelta(hours=2)))).array,
    "durations": pd.array(np.array([1, 2, "NaT"], "m8[ms]")),
    "periods": pd.array(pd.period_range("2020-01", periods=3, freq="M")),
    "intervals": pd.arrays.IntervalArray.from_breaks([0, 1.5, 2, 3], closed="left"),
    "arrow ints": pd.array([1, None, 3], dtype="int64[pyarrow]"),
    "arrow lists": pd.array([[1], None, [2, 3]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
}


def frame(**options: Any) -> Any:
    return pd.DataFrame({name: pd.Series(values, copy=True) for name, values in PANDAS_ARRAYS.items()}, **options)


def with_attrs(owner: Any) -> Any:
    owner.attrs = {"source": ("a", 1)}
    return owner.set_flags(allows_duplicate_labels=False)


INDEXES: list[Any] = [
    *(
        pd.RangeIndex(2, 9, 3, name="r"),
        pd.Index([1, 2]),
        pd.Index([1.5, math.nan]),
        pd.Index(["a", "b"], name=("x", 1)),
    ),
    *(pd.Index(["a", 1, None, (1, 2)], dtype=object), pd.Index(["a"], dtype=object), pd.Index([True, False])),
    *(pd.date_range("2020", periods=3), pd.date_range("2020", periods=3, freq="2h", tz="Europe/Berlin")),
    *(pd.date_range("2020", periods=3, freq="W-WED"), pd.DatetimeIndex([]), pd.timedelta_range("1D", periods=3)),
    *(pd.period_range("2020", periods=2, freq="Q-FEB"), pd.CategoricalIndex(["a", "b", "a"]), pd.Index([1] * 500)),
    *(pd.IntervalIndex.from_breaks(pd.date_range("2020", periods=3)), pd.array([1, None], dtype="Int64")),
    pd.MultiIndex.from_tuples([("a", 1), ("b", None)], names=["k", None]),
    pd.MultiIndex.from_product([pd.date_range("2020", periods=2, tz="UTC"), ["x", "y"]]),
]

FRAMES: list[Any] = [
    *(
        pd.DataFrame(),
        pd.DataFrame(index=[1, 2]),
        pd.DataFrame(columns=["a"]),
        pd.DataFrame([[1, 2]] * 2, columns=["a", "a"]),
    ),
    *(pd.DataFrame(np.arange(12.0).reshape(3, 4)), pd.DataFrame(np.ones((200, 100), "f4")), pd.DataFrame({"a": ["x"]})),
    *(frame(), frame().iloc[::2], frame().iloc[:0], frame().set_index(["int", "text"]), with_attrs(frame())),
    pd.DataFrame([[1, "x", 2.5, None]], columns=pd.Index([1, (1, 2), None, "a"], dtype=object)),
    pd.DataFrame([[1, "x"]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["u", "v"])),
    pd.DataFrame({"a": np.arange(50_000), "b": np.arange(50_000.0)}),
    pd.DataFrame({"inner": pd.Series([pd.DataFrame({"a": [1]}), None], dtype=object)}),
]

SERIES: list[Any] = [
    *(pd.Series(values, name=name) for name, values in PANDAS_ARRAYS.items()),
    *(pd.Series(OBJECTS, dtype=object), with_attrs(pd.Series([1, 2], name=("a", 1))), pd.Series([], dtype="M8[ms]")),
]

PANDAS_SCALARS: list[Any] = [
    *(pd.NA, pd.NaT, pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-01").as_unit("s"), pd.Timestamp(1, unit="ns")),
    *(pd.Timestamp("2020-10-25T00:30Z").tz_convert("Europe/Berlin"), pd.Timestamp("2020", tz=dt.UTC).as_unit("ms")),
    *(pd.Timestamp("2020-10-25T01:30Z").tz_convert("Europe/Berlin"), pd.Timestamp("2020").replace(fold=1)),
    *(pd.Timedelta("3s"), pd.Timedelta(-1, "ns"), pd.Period("2020-03", "M"), pd.Period("2020-03-04", "W")),
    *(pd.Interval(0, 1, "neither"), pd.Interval(pd.Timestamp("2020"), pd.Timestamp("2021"))),
]

TABLE = pa.table(
    {
        "int": pa.array([1, None, 3], pa.int16()),
        "float": pa.array([math.nan, None, -0.0]),
        "text": ["x", None, "é"],
        "view": pa.array(["x" * 30, None, ""], pa.string_view()),
        "large": pa.array([b"x", None, b""], pa.large_binary()),
        "list": [[1], None, [2, 3]],
        "struct": [{"a": 1, "b": [{"c": "d"}]}, None, {"a": 2, "b": None}],
        "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int8())),
        "decimal": pa.array([decimal.Decimal("1.10"), None, decimal.Decimal("0.00")], pa.decimal128(10, 2)),
        "time": pa.array([dt.datetime(2020, 1, 1), None, dt.datetime.max], pa.timestamp("us", "Europe/Berlin")),
        "dictionary": pa.array(["a", None, "a"]).dictionary_encode(),
        "null": pa.nulls(3),
        "fixed": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int8(), 2)),
        "union": pa.UnionArray.from_sparse(
            pa.array([0, 1, 0], pa.int8()), [pa.array([1, 2, 3]), pa.array(["a", "b", "c"])]
        ),
    }
).replace_schema_metadata({"made": "here"})

ARROW: list[Any] = [
    *(TABLE, TABLE.slice(1, 1), TABLE.slice(0, 0), TABLE.select([]), pa.table({}), pa.concat_tables([TABLE, TABLE])),
    *(TABLE.to_batches()[0], TABLE.schema, pa.schema([pa.field("a", pa.int8(), nullable=False, metadata={"k": "v"})])),
    *(column.chunk(0) for column in TABLE.columns),
    *(pa.chunked_array([[1], [], [2, 3]]), pa.chunked_array([], pa.string()), pa.array(range(50_000))),
    *(
        pa.scalar(1),
        pa.scalar(None),
        pa.scalar(None, pa.list_(pa.int8())),
        pa.scalar("x", pa.dictionary(pa.int8(), pa.string())),
    ),
    *(TABLE["struct"][0], TABLE["map"][0], TABLE["decimal"][2], TABLE["time"][0]),
]

POLARS_SERIES: list[Any] = [
    pl.Series("int", [1, None], dtype=pl.Int8),
    pl.Series("uint", [2**64 - 1, None], dtype=pl.UInt64),
    pl.Series("float", [math.nan, None, -0.0], dtype=pl.Float32),
    pl.Series("text", ["x" * 30, None, "é"]),
    pl.Series("bytes", [b"\xff", None]),
    pl.Series("date", [dt.date(2020, 1, 1), None]),
    pl.Series("time", [dt.time(1, 2, 3, 4), None]),
    pl.Series("moment", [dt.datetime(2020, 1, 1), None], dtype=pl.Datetime("ms", "Europe/Berlin")),
    pl.Series("duration", [dt.timedelta(1), None], dtype=pl.Duration("ns")),
    pl.Series("decimal", [decimal.Decimal("1.10"), None], dtype=pl.Decimal(20, 2)),
    pl.Series("category", ["b", None, "a"], dtype=pl.Categorical),
    pl.Series("enum", ["b", None, "a"], dtype=pl.Enum(["b", "a", "c"])),
    pl.Series("list", [[1], None, []], dtype=pl.List(pl.Int16)),
    pl.Series("array", [[1, 2], None], dtype=pl.Array(pl.Int16, 2)),
    pl.Series("struct", [{"a": 1, "b": "x"}, {"a": None, "b": None}]),
    pl.Series("null", [None, None]),
    pl.Series("empty", [], dtype=pl.List(pl.Enum(["q"]))),
    pl.Series("", [True, None]),
    pl.Series("large", range(50_000)),
]

POLARS: list[Any] = [
    *POLARS_SERIES,
    *(pl.DataFrame(), pl.DataFrame(schema={"a": pl.Int8}), pl.DataFrame({"a": range(9), "b": ["x"] * 9})[2:7:2]),
    pl.concat([series.to_frame() for series in POLARS_SERIES if len(series) == 2], how="horizontal"),
]

VALUES: dict[str, list[Any]] = {
    "array": ARRAYS,
    "numpy": NUMPY_SCALARS + NUMPY_DTYPES,
    "pandas array": [
        values for values in PANDAS_ARRAYS.values() if isinstance(values, pd.api.extensions.ExtensionArray)
    ],
    "index": INDEXES,
    "frame": FRAMES,
    "series": SERIES,
    "pandas": PANDAS_SCALARS,
    "arrow": ARROW,
    "polars": POLARS,
}


def alike(left: Any, right: Any) -> bool:
    """Whether the second came back as the first: type, dtype, layout, values, names; nan is nan, and None is None."""
    if type(left) is not type(right):
        return False
    match left:
        case np.ndarray():
            return _arrays(left, right)
        case np.generic():
            return bool(left.dtype == right.dtype and left.tobytes() == right.tobytes() and str(left) == str(right))
        case np.dtype():
            return bool(left == right and left.char == right.char and left.isalignedstruct == right.isalignedstruct)
        case pd.DataFrame():
            return _frames(left, right)
        case pd.Series():
            return _series(left, right)
        case pd.Index():
            return _indexes(left, right)
        case pd.api.extensions.ExtensionArray():
            return _series(pd.Series(left), pd.Series(right))
        case pl.DataFrame() | pl.Series():
            return _polars(left, right)
        case pa.Table() | pa.Schema():
            return bool(left.equals(right, check_metadata=True)) or str(left) == str(right)
        case pa.RecordBatch() | pa.Array() | pa.ChunkedArray() | pa.Scalar():
            return bool(left.equals(right)) or str(left) == str(right)  # a nan equals none
        case dict():
            return alike(list(cast("Any", left).items()), list(right.items()))
        case list() | tuple():
            items = cast("list[Any]", left)
            return len(items) == len(right) and all(map(alike, items, right))
        case _ if type(left).__module__.startswith("pandas"):
            return repr(left) == repr(right) and getattr(left, "unit", 0) == getattr(right, "unit", 0)
        case float() if math.isnan(left):
            return math.isnan(right)
        case _:
            return same(left, right)


def _arrays(left: Any, right: Any) -> bool:
    same_kind = left.dtype == right.dtype and left.dtype.char == right.dtype.char and left.shape == right.shape
    if not same_kind or (left.flags.f_contiguous != right.flags.f_contiguous and left.flags.forc):
        return False
    if left.dtype.hasobject:
        return alike(left.tolist(), right.tolist())
    return bool(left.tobytes() == right.tobytes() and right.flags.writeable)


def _frames(left: Any, right: Any) -> bool:
    return bool(
        _indexes(left.columns, right.columns)
        and _own(left, right)
        and all(_series(left.iloc[:, at], right.iloc[:, at]) for at in range(left.shape[1]))
        and _indexes(left.index, right.index)
    )


def _series(left: Any, right: Any) -> bool:
    return bool(
        left.dtype == right.dtype
        and repr(left.dtype) == repr(right.dtype)
        and type(left.array) is type(right.array)
        and alike(left.name, right.name)
        and _own(left, right)
        and _indexes(left.index, right.index)
        and _same_values(left, right)
    )


def _same_values(left: Any, right: Any) -> bool:
    if isinstance(left.dtype, np.dtype) and left.dtype != object:
        return bool(left.to_numpy().tobytes() == right.to_numpy().tobytes())
    return alike(left.tolist(), right.tolist())


def _own(left: Any, right: Any) -> bool:
    return bool(left.attrs == right.attrs and left.flags == right.flags)


def _indexes(left: Any, right: Any) -> bool:
    return bool(
        type(left) is type(right)
        and getattr(left, "dtypes", left.dtype) is not None
        and repr(left.dtype) == repr(right.dtype)
        and alike(list(left.names), list(right.names))
        and getattr(left, "freq", None) == getattr(right, "freq", None)
        and _same_values(left, right)
        and (not isinstance(left, pd.MultiIndex) or all(map(_indexes, left.levels, right.levels)))
    )


def _polars(left: Any, right: Any) -> bool:
    check = pl_testing.assert_frame_equal if isinstance(left, pl.DataFrame) else pl_testing.assert_series_equal
    check(left, right, check_exact=True)
    return True
