"""What the codec refuses to encode, where in the value it stands, and what the refusal advises."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import pickle
import sys
import types
import zoneinfo
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pydantic
import pytest

from actorflow.actors.codec import Codec, DecodeError, EncodeError, Limits, TypeResolver
from actorflow.actors.codec.errors import MAX_SHOWN_PATH
from actorflow.actors.codec.wire import MARKS, Tag, pack
from tests.actors.codec_types import DictRow, Labelled, Loose, MyInt, Plain, Point, Row, Shadow, Words


@dataclass
class Broken:
    """A dataclass whose state cannot be read."""

    n: int = 0

    def __getattribute__(self, name: str) -> Any:
        if name == "__dict__":
            raise RuntimeError("no state today")
        return super().__getattribute__(name)


class OwnPath(PurePosixPath):
    pass


class OwnZone(dt.tzinfo):
    def utcoffset(self, at: dt.datetime | None, /) -> dt.timedelta:
        return dt.timedelta(hours=1)

    dst = utcoffset

    def tzname(self, at: dt.datetime | None, /) -> str:
        return "own"


def local_dataclass() -> object:
    @dataclass
    class Local:
        n: int

    return Local(1)


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def cycle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def labelled() -> Point:
    value = Labelled(1)
    value.label = "x"  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    return value


REFUSALS: list[tuple[Any, str, str]] = [
    (object(), "result", "make it a dataclass or a pydantic model"),
    (Plain(), "result", "make it a dataclass or a pydantic model"),
    (print, "result", "send its name instead"),
    (int, "result", "send its name instead"),
    (sys, "result", "cannot encode module"),
    (memoryview(b"x"), "result", r"send bytes\(value\)"),
    (MyInt(3), "result", r"subclass of int, .* convert it with int\(value\)"),
    (Words("ab"), "result", r"subclass of dict, .* convert it with dict\(value\)"),
    (collections.OrderedDict(a=1), "result", "subclass of dict"),
    (collections.defaultdict(int), "result", "subclass of dict"),
    (DictRow("x"), "result", "subclass of dict"),
    (collections.deque([1]), "result", "cannot encode collections.deque"),
    (ValueError("x"), "result", "cannot encode ValueError"),
    (OwnPath("x"), "result", "OwnPath"),
    (dt.datetime(2020, 1, 1, tzinfo=OwnZone()), "result", r"use zoneinfo\.ZoneInfo"),
    (local_dataclass(), "result", "defined inside a function; define it at the top level"),
    (Shadow(), "result", "Row"),
    (labelled(), "result", "attributes beside its fields; make it a dataclass"),
    (Broken(), "result", "reading it failed with RuntimeError: no state today"),
    (cycle(), "result" + "[0]" * 64, "contains itself; flatten it"),
    (nested(65), "result" + "[0]" * 64, "nested deeper"),
    ([1, 2, object()], "result[2]", "object"),
    ((1, [object()]), "result[1][0]", "object"),
    ({"a": {3: object()}}, "result['a'][3]", "object"),
    ({(1, 2): object()}, "result[(1, 2)]", "object"),
    ({(1, print): 1}, "result (the key (1, <built-in function print>))[1]", "builtin_function"),
    ({frozenset({print})}, "result{frozenset({<built-in function print>})}{<built-in function print>}", "builtin_f"),
    (slice(1, object()), "result.stop", "object"),
    (Point(1, object()), "result.y", "object"),
    (Row("a", tags=[1, object()]), "result.tags[1]", "object"),
    ({"rows": [Loose(a=1, b=Row("x", when=object()))]}, "result['rows'][0].b.when", "object"),
    (Loose.model_validate({"a": 1, "more": object()}), "result.more", "object"),
]


NAMES = [f"{type(value).__name__}-{path}" for value, path, _ in REFUSALS]


@pytest.mark.parametrize(("value", "path", "says"), REFUSALS, ids=NAMES)
def test_what_cannot_travel_is_refused_with_its_place_and_the_way_out(value: Any, path: str, says: str) -> None:
    with pytest.raises(EncodeError, match=says) as caught:
        Codec().encode(value, "result")

    assert caught.value.path == path
    shown = path if len(path) <= MAX_SHOWN_PATH else path[: MAX_SHOWN_PATH // 2]
    assert str(caught.value).startswith(shown)
    assert f": cannot encode {caught.value.type_name}: " in str(caught.value)


def test_the_deepest_value_that_encodes_decodes() -> None:
    codec = Codec()
    value: Any = dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    for _ in range(64):
        value = Loose(a=1, b=value)

    assert codec.decode(codec.encode(value)) == value
    with pytest.raises(EncodeError, match="nested deeper"):
        codec.encode([value])


def test_an_own_private_and_extra_part_is_named_in_the_path() -> None:
    model = Loose(a=1)
    model._secret = object()  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]

    with pytest.raises(EncodeError) as caught:
        Codec().encode([model])

    assert caught.value.path == "value[0]._secret"


def test_a_value_above_the_limits_is_refused_where_it_is_made() -> None:
    with pytest.raises(EncodeError, match=r"1,005 bytes are more than the limit of 1,000; send it in parts"):
        Codec(limits=Limits(max_bytes=1000)).encode(b"x" * 1002)
    with pytest.raises(EncodeError, match=r"more elements than the limit of 100"):
        Codec(limits=Limits(max_elements=100)).encode([1] * 101)


def test_an_encode_error_survives_pickling() -> None:
    with pytest.raises(EncodeError) as caught:
        Codec().encode([object()])

    again = pickle.loads(pickle.dumps(caught.value))

    assert (str(again), again.path) == (str(caught.value), "value[0]")


# Types and their names


def tagged(tag: Tag, *parts: object) -> bytes:
    return pack([MARKS[tag], *parts])


@pytest.fixture
def main_type(monkeypatch: pytest.MonkeyPatch) -> type:
    """A dataclass that __main__ defines."""
    cls: type = dataclass(type("MainRow", (), {"__module__": "__main__", "__annotations__": {"n": int}}))
    monkeypatch.setattr(sys.modules["__main__"], "MainRow", cls, raising=False)
    return cls


def test_a_type_of_main_is_refused_unless_allowed(main_type: type) -> None:
    value = main_type(n=1)
    allowing = Codec(TypeResolver(allow_main=True))

    with pytest.raises(EncodeError, match="defined in __main__, which is another module elsewhere; move it"):
        Codec().encode(value)
    assert allowing.decode(allowing.encode(value)) == value
    with pytest.raises(DecodeError, match="__main__"):
        Codec().decode(allowing.encode(value))


def test_two_classes_of_one_name_are_not_mixed_up() -> None:
    other = pydantic.create_model("Small", __module__="tests.actors.codec_types", a=(int, ...))

    with pytest.raises(EncodeError, match="another class of the same name"):
        Codec().encode(other(a=1))


@pytest.fixture
def lazy_module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """An imported module with one model, that fails any test in which its __getattr__ is called."""
    module = types.ModuleType("codec_lazy_module")

    def refuse(name: str) -> object:
        raise AssertionError(f"the codec asked the module for {name}")

    module.__getattr__ = refuse  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_a_name_is_looked_up_without_running_code_of_its_module(lazy_module: types.ModuleType) -> None:
    data = tagged(Tag.MODEL, f"{lazy_module.__name__}:Small", {})

    with pytest.raises(DecodeError, match="module codec_lazy_module has no class Small"):
        Codec().decode(data)


def test_a_module_is_imported_only_if_the_list_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "import dataclasses\n@dataclasses.dataclass\nclass Row:\n    n: int\n"
    (tmp_path / "codec_late_module.py").write_text(source)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    codec = Codec(TypeResolver(may_import=["codec_late_module"]))
    data = tagged(Tag.DATACLASS, "codec_late_module:Row", {"n": 4})

    with pytest.raises(DecodeError, match=r"at tag DATACLASS .*codec_late_module is not imported here"):
        Codec().decode(data)
    assert "codec_late_module" not in sys.modules
    assert getattr(codec.decode(data), "n", None) == 4


def test_a_module_that_fails_to_import_is_a_decode_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "codec_bad_module.py").write_text("raise OSError('broken')\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    codec = Codec(TypeResolver(may_import=["codec_bad_module"]))

    with pytest.raises(DecodeError, match="cannot be imported: OSError"):
        codec.decode(tagged(Tag.DATACLASS, "codec_bad_module:Row", {}))


class Gone(enum.Enum):
    A = 1


def test_a_member_or_field_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = Codec()
    row, member = codec.encode(Row("a")), codec.encode(Gone.A)
    there = sys.modules[Gone.__module__]
    monkeypatch.setattr(there, "Gone", enum.Enum("Gone", {"B": 1}, module=__name__))

    with pytest.raises(DecodeError, match="at tag ENUM of 2 elements: Gone has no member 'A'"):
        codec.decode(member)
    with pytest.raises(DecodeError, match="at tag DATACLASS of 2 elements: Row has no field nome"):
        codec.decode(row.replace(b"name", b"nome"))


def test_a_zone_from_a_file_has_no_name_to_send() -> None:
    file = next(Path(folder, "Europe/Berlin") for folder in zoneinfo.TZPATH if Path(folder, "Europe/Berlin").exists())
    with file.open("rb") as opened:
        zone = zoneinfo.ZoneInfo.from_file(opened)

    with pytest.raises(EncodeError, match="no name or fixed offset"):
        Codec().encode(dt.datetime(2020, 1, 1, tzinfo=zone))


def test_the_words_of_a_refusal_show_both_ends_of_a_long_path_which_is_kept_whole() -> None:
    with pytest.raises(EncodeError) as caught:
        Codec().encode({"rows": [cycle()]}, "result")

    assert caught.value.path.startswith("result['rows'][0][0]")
    assert len(caught.value.path) > 190
    assert str(caught.value).startswith("result['rows'][0]" + "[0]" * 14)
    assert " ... " in str(caught.value)
    assert len(str(caught.value)) < 250
