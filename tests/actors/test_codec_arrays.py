"""Arrays and tables come back as they were: dtype, layout, index, names, what is missing and how."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tracemalloc
from typing import Any, cast

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorflow.actors.codec import Codec, EncodeError
from tests.actors.array_values import BERLIN, TABLE, VALUES, alike, np, pa, pd, pl
from tests.actors.codec_types import Fixed, Row
from tests.actors.test_codec_hostile import CODEC, NESTED, containers

CASES = [(kind, at) for kind, values in VALUES.items() for at in range(len(values))]


@pytest.mark.parametrize(("kind", "at"), CASES, ids=str)
def test_an_array_or_a_table_comes_back_as_it_was(kind: str, at: int) -> None:
    codec, value = Codec(), VALUES[kind][at]

    back = codec.decode(codec.encode(value))

    assert alike(value, back), f"{value!r} came back as {back!r}"


dateutil_tz: Any = importlib.import_module("dateutil.tz")

REFUSALS: list[tuple[Any, str, str]] = [
    (np.array([1, None]), "result", "holds Python objects; convert it with value.tolist()"),
    (np.zeros(1, [("a", "i4"), ("b", "O")]), "result", "holds Python objects"),
    (np.array([1], np.dtype("i4", metadata={"unit": "m"})), "result", "metadata, which would be lost"),
    (np.dtype("O"), "result", "holds Python objects"),
    (np.ma.array([1, 2], mask=[True, False]), "result", "MaskedArray.*numpy.asarray"),
    (np.rec.array([(1, 2)], [("a", "i4"), ("b", "i4")]), "result", "recarray.*numpy.asarray"),
    ({"frame": pd.DataFrame({"col": [1, 2, 3, object()]})}, "result['frame']['col'][3]", "cannot encode object"),
    (pd.Series([1, print], dtype=object), "result[1]", "send its name"),
    (pd.DataFrame({"a": [1]}, index=pd.Index([print], dtype=object)), "result.index[0]", "send its name"),
    (pd.DataFrame({("a", print): [1], "b": ["x"]}), "result.columns[0][1]", "send its name"),
    (pd.Series([1], name=print), "result.name", "send its name"),
    (pd.DataFrame({"a": pd.arrays.SparseArray([0, 1])}), "result['a']", "SparseArray.*convert it to a DataFrame"),
    (pd.Timestamp("2020", tz=dateutil_tz.tzoffset("odd", 3600)), "result", "no name or fixed offset"),
    (
        pd.date_range("2020", periods=3, freq=pd.offsets.CustomBusinessDay(holidays=["2020-01-02"])),
        "result",
        "set index.freq = None",
    ),
    (pl.DataFrame({"a": [1], "b": [object()]}), "result['b']", "polars Object.*cast it"),
    (pl.Series("i", [1], dtype=pl.Int128), "result['i']", "polars Int128.*cast it"),
    (pl.LazyFrame({"a": [1]}), "result", r"call \.collect\(\) on it"),
    (
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"x" * 16], pa.binary(16))),
        "result",
        "cast it to its storage",
    ),
    (pa.RunEndEncodedArray.from_arrays([3], [1]), "result", "run-end encoding"),
    (TABLE.replace_schema_metadata({"ARROW:extension:name": "x"}), "result", "whose code would run"),
    (pa.int8(), "result", "convert it to a Table"),
]


@pytest.mark.parametrize(("value", "path", "says"), REFUSALS, ids=[f"{type(row[0])}-{row[1]}" for row in REFUSALS])
def test_what_would_not_come_back_is_refused_with_its_place_and_the_way_out(value: Any, path: str, says: str) -> None:
    with pytest.raises(EncodeError, match=says) as caught:
        Codec().encode(value, "result")

    assert caught.value.path == path


ALL = [value for values in VALUES.values() for value in values]
LEAVES = st.integers(0, len(ALL) - 1).map(ALL.__getitem__)
ANYTHING = st.recursive(NESTED | LEAVES, containers, max_leaves=12)


@given(ANYTHING)
@settings(max_examples=150)
def test_any_nested_value_with_arrays_comes_back(value: Any) -> None:
    assert_same(CODEC.decode(CODEC.encode(value)), value)


def assert_same(back: Any, value: Any) -> None:
    """Fields and items one by one: arrays in them have no single truth value."""
    assert type(back) is type(value)
    if type(value) is dict:
        assert_same(list(back.items()), list(cast("Any", value).items()))
    elif isinstance(value, list | tuple):
        for mine, its in zip(back, cast("list[Any]", value), strict=True):
            assert_same(mine, its)
    elif isinstance(value, pydantic.BaseModel | Row):
        assert_same(vars(back), vars(value))
    elif isinstance(value, Fixed):
        assert_same((back.a, back.b), (value.a, value.b))
    else:
        assert alike(value, back)


def test_an_array_given_away_is_used_where_it_lies() -> None:
    data = bytearray(CODEC.encode([np.zeros(1_000_000), "x"]))
    tracemalloc.start()

    back: Any = CODEC.decode_given(data)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    back[0][:] = 1.0
    assert data.count(np.float64(1.0).tobytes()) == 1_000_000


def test_two_decoded_arrays_share_nothing() -> None:
    data = bytearray(CODEC.encode(np.zeros(100_000)))
    first: Any = CODEC.decode(data)
    second = CODEC.decode(data)

    first[:] = 1.0

    assert not np.any(second)
    assert not np.any(CODEC.decode(data))


def test_large_bytes_come_back_wherever_they_stand() -> None:
    large = bytes(range(256)) * 300
    value = {"a": [large, 1, bytearray(large)], large: (large, [b"x", large] * 20), "set": {large, b"x"}}

    assert CODEC.decode(CODEC.encode(value)) == value


NO_IMPORT = """
import sys
from actorflow.actors.codec import Codec
codec = Codec()
codec.decode(codec.encode([1, {"a": b"x" * 100_000}]))
assert not {"numpy", "pandas", "polars", "pyarrow"} & set(sys.modules)
sys.modules["pandas"] = sys.modules["pyarrow"] = None
found = codec.decode(bytes.fromhex(sys.argv[1]))
assert type(found).__module__ == "numpy", found
assert not {"polars"} & set(sys.modules)
for data in sys.argv[2:]:
    try:
        codec.decode(bytes.fromhex(data))
    except Exception as exc:
        print(type(exc).__name__, str(exc).partition(": ")[2])
"""


def test_only_the_library_of_the_value_is_imported_and_a_missing_one_is_named() -> None:
    values = [np.arange(3), pd.Series([1]), pa.array([1]), pl.Series([1])]
    command = [sys.executable, "-c", NO_IMPORT, *(CODEC.encode(value).hex() for value in values)]

    found = subprocess.run(command, capture_output=True, text=True, check=False)

    assert found.stderr == ""
    assert found.stdout.splitlines() == [
        f"DecodeError a value of {name} came, which is not installed here: install actorflow[{extra}]"
        for name, extra in (("pandas", "pandas"), ("pyarrow", "arrow"), ("pyarrow", "arrow"))
    ]


def test_a_zone_of_the_standard_library_stays_one() -> None:
    back: Any = CODEC.decode(CODEC.encode(pd.Timestamp("2020", tz=BERLIN)))

    assert back.tz is BERLIN
