"""pyarrow's tables, arrays, scalars and schemas, as an uncompressed Arrow IPC stream that is checked in full.

What comes out has passed the checks that Arrow itself is fuzzed behind: lengths against what is there, then offsets,
indices and text. Compressed bodies are refused before they are read, since their sizes are only announced.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from struct import Struct
from typing import Any

from .bodies import Building
from .errors import DecodeError, Refusal
from .numpy_values import library
from .typed import Parts
from .wire import MARKS, Tag, in_or_behind

Lower = Callable[[Any, int], object]

EXTENSION_KEY = b"ARROW:extension:name"
"""Where a schema names an extension type, whose code would run to read it."""

_COLUMN = "value"
_HELP = "cast it to its storage type, or send plain values"


def plan_for(_: Parts, cls: type[object]) -> Lower | None:
    """How to lower values of a pyarrow class; None for one that does not travel."""
    pa: Any = sys.modules["pyarrow"]
    if cls is pa.Table:
        return lambda table, _: _lowered("table", table.schema, table.to_batches())
    if cls is pa.RecordBatch:
        return lambda batch, _: _lowered("batch", batch.schema, [batch])
    if cls is pa.Schema:
        return lambda schema, _: _lowered("schema", schema, [])
    if cls is pa.ChunkedArray:
        return lambda array, _: lower_column("chunked", array.type, array.chunks)
    if issubclass(cls, pa.Array):
        return lambda array, _: lower_column("array", array.type, [array])
    if issubclass(cls, pa.Scalar):
        return lambda scalar, _: lower_column("scalar", scalar.type, [_array_of(pa, scalar)])
    return None


def _array_of(pa: Any, scalar: Any) -> Any:
    return pa.array([scalar], type=scalar.type) if scalar.is_valid else pa.nulls(1, scalar.type)


def lower_column(kind: str, of: Any, chunks: list[Any]) -> object:
    """An array of any number of chunks."""
    pa: Any = sys.modules["pyarrow"]
    schema = pa.schema([pa.field(_COLUMN, of)])
    return _lowered(kind, schema, [pa.RecordBatch.from_arrays([chunk], schema=schema) for chunk in chunks])


def stream_of(schema: Any, batches: list[Any]) -> memoryview:
    """The batches as an Arrow IPC stream; raises Refusal."""
    pa: Any = sys.modules["pyarrow"]
    for field in schema:
        _refuse_type(pa, field.type)
    if EXTENSION_KEY in schema.serialize().to_pybytes():
        raise _refusal(schema, "it names an extension type, whose code would run to read it")
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=None)
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return memoryview(sink.getvalue()).cast("B")


def _lowered(kind: str, schema: Any, batches: list[Any]) -> object:
    return [MARKS[Tag.ARROW], kind, in_or_behind(stream_of(schema, batches), Tag.BUFFER)]


def _refuse_type(pa: Any, of: Any) -> None:
    if isinstance(of, pa.BaseExtensionType) or pa.types.is_run_end_encoded(of):
        raise _refusal(of, "extension types and run-end encoding do not travel")
    for number in range(of.num_fields):
        _refuse_type(pa, of.field(number).type)


def _refusal(what: object, reason: str) -> Refusal:
    return Refusal(type_name=f"pyarrow {what!s:.60}", reason=reason, help=_HELP)


# Decoding


def build(reader: Building, items: list[Any]) -> Any:
    kind, data = items[1:]
    schema, batches = read_stream(reader, data)
    pa: Any = sys.modules["pyarrow"]
    match kind:
        case "table":
            return pa.Table.from_batches(batches, schema)
        case "schema":
            return schema
        case "batch":
            (batch,) = batches
            return batch
        case "array":
            (batch,) = batches
            return batch.column(0)
        case "scalar":
            (batch,) = batches
            return batch.column(0)[0]
        case "chunked":
            return column_of(schema, batches)
        case _:
            raise DecodeError(f"no kind of an Arrow value: {kind!r:.20}")


def column_of(schema: Any, batches: list[Any]) -> Any:
    """The one column of a stream, in the chunks it came in."""
    pa: Any = sys.modules["pyarrow"]
    (field,) = schema
    return pa.chunked_array([batch.column(0) for batch in batches], type=field.type)


def read_stream(reader: Building, data: object) -> tuple[Any, list[Any]]:
    """(schema, batches) of an Arrow IPC stream; raises DecodeError, and what pyarrow raises of damaged data."""
    pa = library("pyarrow")
    ipc: Any = library("pyarrow.ipc")
    frozen = reader.bodies.take_frozen(data)
    _refuse_messages(pa, ipc, frozen)
    with ipc.open_stream(pa.py_buffer(frozen)) as stream:
        schema = stream.schema
        str(schema.names)
        for field in schema:
            _refuse_type_read(pa, field.type)
        limit = max(reader.limits.max_elements, 8 * len(frozen))
        batches: list[Any] = []
        for batch in stream:
            batch.validate(full=True)
            limit -= batch.num_rows + sum(_elements(pa, column) for column in batch.columns)
            if limit < 0:
                raise DecodeError("an Arrow array announces more elements than its bytes can hold")
            batches.append(batch)
    return schema, batches


def _refuse_type_read(pa: Any, of: Any) -> None:
    try:
        _refuse_type(pa, of)
    except Refusal as refusal:
        raise DecodeError(refusal.reason) from None
    _read_names(of)


def _read_names(of: Any) -> None:
    """Read the names in a type, which Arrow has not checked to be text; raises UnicodeDecodeError."""
    getattr(of, "tz", None)
    for number in range(of.num_fields):
        str(of.field(number).name)
        _read_names(of.field(number).type)


def _refuse_messages(pa: Any, ipc: Any, data: bytes | memoryview) -> None:
    """Refuse, before Arrow reads them, messages that are compressed or that name an extension type."""
    reader = ipc.MessageReader.open_stream(pa.py_buffer(data))
    while (message := _next(reader)) is not None:
        metadata = message.metadata.to_pybytes()
        if message.type == "schema" and EXTENSION_KEY in metadata:
            raise DecodeError("an extension type, whose code would run to read it")
        if message.type != "schema" and is_compressed(metadata):
            raise DecodeError("an Arrow body is compressed; its size is only announced")


def _next(reader: Any) -> Any:
    try:
        return reader.read_next_message()
    except StopIteration:
        return None


def _elements(pa: Any, array: Any) -> int:
    """All elements of an array and of what it holds: one without bytes may announce any number of them."""
    types, of = pa.types, array.type
    if types.is_dictionary(of):
        return len(array) + _elements(pa, array.dictionary)
    if types.is_struct(of) or types.is_union(of):
        return len(array) + sum(_elements(pa, array.field(number)) for number in range(of.num_fields))
    if types.is_map(of):
        return len(array) + _elements(pa, array.keys) + _elements(pa, array.items)
    return len(array) + (_elements(pa, array.values) if of.num_fields else 0)


# A message of Arrow's is a flatbuffer: a table is found by an offset, its fields through a table of offsets before it.

_U32, _I32, _U16 = Struct("<I"), Struct("<i"), Struct("<H")
_HEADER_TYPE, _HEADER = 1, 2  # the second and third field of Message
_RECORD_BATCH, _DICTIONARY_BATCH = 3, 2
_DICTIONARY_DATA = 1  # of DictionaryBatch
_COMPRESSION = 3  # of RecordBatch


def is_compressed(metadata: bytes) -> bool:
    """Whether a message's metadata announces compressed buffers; raises what reading beyond its end raises."""
    message = _U32.unpack_from(metadata, 0)[0]
    kind_at = _field(metadata, message, _HEADER_TYPE)
    header_at = _field(metadata, message, _HEADER)
    if not kind_at or not header_at:
        return False
    batch = _table(metadata, header_at)
    if metadata[kind_at] == _DICTIONARY_BATCH:
        data_at = _field(metadata, batch, _DICTIONARY_DATA)
        if not data_at:
            return False
        batch = _table(metadata, data_at)
    return bool(_field(metadata, batch, _COMPRESSION))


def _table(metadata: bytes, at: int) -> int:
    return at + int(_U32.unpack_from(metadata, at)[0])


def _field(metadata: bytes, table: int, number: int) -> int:
    """Where a field of a table lies; 0 if it is not there."""
    offsets = table - _I32.unpack_from(metadata, table)[0]
    if offsets < 0:
        raise DecodeError("damaged Arrow metadata")
    size = _U16.unpack_from(metadata, offsets)[0]
    entry = 4 + 2 * number
    if entry + 2 > size:
        return 0
    found = _U16.unpack_from(metadata, offsets + entry)[0]
    return table + found if found else 0
