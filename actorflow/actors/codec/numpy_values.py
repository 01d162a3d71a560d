"""numpy arrays, scalars and dtypes: a dtype as text, a shape, and the bytes as they lie in memory.

numpy is never imported to encode, and to decode only where a value is of it.
"""

from __future__ import annotations

import importlib
import math
import re
import sys
from collections.abc import Callable
from typing import Any, cast

from .bodies import Building
from .errors import DecodeError, Refusal, kind_name, shown
from .typed import Parts
from .wire import MARKS, Tag, in_or_behind

Lower = Callable[[Any, int], object]

MAX_DIMENSIONS = 64

_SIMPLE = re.compile(r"[<>|=](?:[biufcSUV]\d{1,9}|[?bhilqpBHILQPefdgFDG]|[mM]8(?:\[\d{0,9}[a-zA-Zμ]{1,7}\])?)")
_EXTRAS = {"pyarrow": "arrow"}
_STRINGS = "T"
_HELP = "convert it with value.tolist() or value.astype(...)"


def library(name: str) -> Any:
    """The imported library; Any: its types are unknown where it is not installed. Raises DecodeError."""
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        extra = _EXTRAS.get(name.partition(".")[0], name)
        raise DecodeError(f"a value of {name} came, which is not installed here: install actorflow[{extra}]") from exc


def plan_for(parts: Parts, cls: type[object]) -> Lower | None:
    """How to lower values of a numpy class; None for one that does not travel."""
    numpy: Any = sys.modules["numpy"]
    if cls is numpy.ndarray:
        return lambda array, depth: _lower_array(parts, array, depth)
    if issubclass(cls, numpy.dtype):
        return lambda dtype, _: [MARKS[Tag.NUMPY_DTYPE], spec_of(dtype)]
    if cls is numpy.str_:
        return lambda value, _: [MARKS[Tag.NUMPY_SCALAR], "str_", str.__str__(value)]  # its own cuts zeros off the end
    if cls is numpy.bytes_:
        return lambda value, _: [MARKS[Tag.NUMPY_SCALAR], "bytes_", bytes(value)]
    if issubclass(cls, numpy.generic) and not issubclass(cls, numpy.object_):
        return lambda value, _: [MARKS[Tag.NUMPY_SCALAR], spec_of(value.dtype), value.tobytes()]
    return None


# Dtypes


def spec_of(dtype: Any) -> str:
    """A dtype as text: numpy's own for a simple one, JSON for one with fields; raises Refusal."""
    numpy: Any = sys.modules["numpy"]
    found = _spec(numpy, dtype)
    text = found if type(found) is str else importlib.import_module("json").dumps(found)
    same = _dtype(numpy, found)
    if same != dtype or (same.char, same.type) != (dtype.char, dtype.type):
        raise _refusal(dtype, "it would come back as another dtype")
    return text


def dtype_of(numpy: Any, spec: object) -> Any:
    """The dtype; raises DecodeError for one that holds objects, or is none."""
    if type(spec) is not str:
        raise DecodeError("a dtype is no text")
    return _dtype(numpy, importlib.import_module("json").loads(spec) if spec[:1] in "[{" else spec)


def _spec(numpy: Any, dtype: Any) -> Any:
    if dtype.hasobject:
        raise _refusal(dtype, "it holds Python objects")
    if dtype.metadata:
        raise _refusal(dtype, "it has metadata, which would be lost")
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return [_spec(numpy, base), list(shape)]
    if dtype.names is not None:
        fields = [(name, dtype.fields[name]) for name in dtype.names]
        return {
            "names": [name for name, _ in fields],
            "formats": [_spec(numpy, field[0]) for _, field in fields],
            "offsets": [field[1] for _, field in fields],
            "titles": [field[2] if len(field) > 2 else None for _, field in fields],
            "itemsize": dtype.itemsize,
            "aligned": dtype.isalignedstruct,
        }
    if not _SIMPLE.fullmatch(dtype.str):
        raise _refusal(dtype, "it is not a dtype of numpy's own")
    # Two C types may be of one size, and differ as types: long and long long.
    is_plain = numpy.dtype(dtype.str).char == dtype.char
    return dtype.str if is_plain else f"{dtype.byteorder}{dtype.char}"


def _dtype(numpy: Any, spec: Any) -> Any:
    match spec:
        case str() if _SIMPLE.fullmatch(spec):
            return numpy.dtype(spec)
        case [base, [*shape]]:
            return numpy.dtype((_dtype(numpy, base), tuple(_sizes(shape))))
        case {"formats": [*formats], "titles": [*titles], "aligned": bool(is_aligned), **other}:
            fields = {**other, "formats": [_dtype(numpy, field) for field in formats]}
            if any(title is not None for title in titles):
                fields["titles"] = titles
            return numpy.dtype(fields, align=is_aligned)
        case _:
            raise DecodeError(f"{spec!r:.60} is no dtype that may travel")


def _refusal(dtype: Any, reason: str) -> Refusal:
    return Refusal(type_name=f"numpy dtype {shown(dtype)}", reason=reason, help=_HELP)


# Arrays


def _lower_array(parts: Parts, array: Any, depth: int) -> object:
    if array.dtype.hasobject and array.dtype.char == _STRINGS:
        return _lower_strings(parts, array, depth)
    spec = spec_of(array.dtype)
    if not _is_text(sys.modules["numpy"], array):
        raise _refusal(array.dtype, "what stands for a character is none")
    is_fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    data = in_or_behind(bytes_of(array.T if is_fortran else array), Tag.BUFFER)
    return [MARKS[Tag.NDARRAY], spec, list(array.shape), "F" if is_fortran else "C", data]


def bytes_of(array: Any) -> bytes | memoryview:
    """The elements in C order, as bytes; a view where they lie so."""
    numpy: Any = sys.modules["numpy"]
    if not array.size or not array.dtype.itemsize:
        return b""
    data: memoryview = numpy.ascontiguousarray(array).reshape(-1).view(numpy.uint8).data
    return data


def _lower_strings(parts: Parts, array: Any, depth: int) -> object:
    """numpy's strings of any length lie outside the array: as a list."""
    dtype = array.dtype
    missing: object = getattr(dtype, "na_object", _STRINGS)
    if missing is not _STRINGS and missing is not None and not (type(missing) is float and math.isnan(missing)):
        raise _refusal(dtype, "its na_object is neither None nor nan")
    has_missing = missing is not _STRINGS
    options = [has_missing, missing if has_missing else None, bool(dtype.coerce)]
    strings = parts.part(array.reshape(-1).tolist(), depth)
    return [MARKS[Tag.NDARRAY], _STRINGS, list(array.shape), "C", [options, strings]]


def build_array(reader: Building, items: list[Any]) -> Any:
    spec, shape, order, data = items[1:]
    numpy = library("numpy")
    sizes = _sizes(shape)
    if len(sizes) > MAX_DIMENSIONS or order not in ("C", "F"):
        raise DecodeError("no shape or order of an array")
    count = math.prod(sizes)
    if spec == _STRINGS:
        return _strings(numpy, sizes, data)
    dtype = dtype_of(numpy, spec)
    room = reader.bodies.take_writable(data)
    if dtype.itemsize * count != len(room):
        raise DecodeError(f"{len(room):,} bytes are not the {count:,} elements of {dtype.itemsize} bytes announced")
    if not len(room):
        _refuse_many(reader, dtype, sizes)
        return numpy.zeros(sizes, dtype, order)
    array = numpy.ndarray(sizes, dtype, room, order=order)
    if not _is_text(numpy, array):
        raise DecodeError("what stands for a character is none")
    return array


def _is_text(numpy: Any, array: Any) -> bool:
    """Whether all that numpy would read as characters are some."""
    dtype = array.dtype
    if dtype.names is not None:
        return all(_is_text(numpy, array[name]) for name in dtype.names)
    if dtype.kind != "U" or not array.size or not dtype.itemsize:
        return True
    points = numpy.ascontiguousarray(array).reshape(-1).view(dtype.byteorder + "u4")
    return bool(points.max() <= sys.maxunicode)


def _refuse_many(reader: Building, dtype: Any, sizes: list[int]) -> None:
    """An array without bytes may announce any number of elements."""
    if not dtype.itemsize and math.prod(sizes) > reader.limits.max_elements:
        raise DecodeError(f"more elements than the limit of {reader.limits.max_elements:,}")


def _strings(numpy: Any, sizes: list[int], data: Any) -> Any:
    (has_missing, missing, coerce), strings = data
    is_nan = type(missing) is float
    for string in strings:
        if type(string) is not str and not (has_missing and type(string) is (float if is_nan else type(None))):
            raise DecodeError(f"{kind_name(string)} among strings")
    options: dict[str, object] = {"na_object": missing} if has_missing else {}
    dtype = numpy.dtypes.StringDType(coerce=coerce, **options)
    return numpy.array(strings, dtype=dtype).reshape(sizes)


def _sizes(shape: object) -> list[int]:
    if type(shape) is not list:
        raise DecodeError("a shape is no list")
    sizes = cast("list[object]", shape)
    if any(type(size) is not int or not 0 <= size < 2**63 for size in sizes):
        raise DecodeError("a shape is no list of sizes")
    return cast("list[int]", sizes)


# Scalars


def build_scalar(reader: Building, items: list[Any]) -> Any:
    spec, data = items[1:]
    numpy = library("numpy")
    if spec in ("str_", "bytes_"):
        if type(data) is not (str if spec == "str_" else bytes):
            raise DecodeError(f"{kind_name(data)} is no {spec}")
        return getattr(numpy, spec)(data)
    dtype = dtype_of(numpy, spec)
    if type(data) is not bytes or len(data) != dtype.itemsize:
        raise DecodeError(f"not the {dtype.itemsize} bytes of a {dtype}")
    array = numpy.ndarray((), dtype, bytearray(data)) if data else numpy.zeros((), dtype)
    if not _is_text(numpy, array):
        raise DecodeError("what stands for a character is none")
    return array[()]


def build_dtype(_: Building, items: list[Any]) -> Any:
    (spec,) = items[1:]
    return dtype_of(library("numpy"), spec)
