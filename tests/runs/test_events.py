"""Events on disk and as JSON: what is written comes back, and every event has one plain form."""

from __future__ import annotations

import hashlib
import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow.actors.codec import EncodeError
from actorflow.actors.codec.wire import pack
from actorflow.runs.event_rows import (
    RowError,
    decode_row,
    encode_row,
    inline,
    may_name_large_value,
    require_row,
)
from actorflow.runs.events import (
    EVENT_NAMES,
    AttemptFinished,
    AttemptStarted,
    Event,
    Record,
    RecordedParam,
    RecordedTask,
    RunCancelling,
    RunFinished,
    RunPaused,
    RunPausing,
    RunResumed,
    RunStarted,
    TaskFinished,
    TaskReady,
    to_json,
)
from actorflow.runs.executor import AttemptState, Cause, ErrorRecord, Frame
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.values import Value

texts = st.text(max_size=20) | st.text(st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF), max_size=2)
names = st.text(string.ascii_lowercase + "_é", min_size=1, max_size=8)
counts = st.integers(0, 2**40)
times = st.floats(allow_nan=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | times | texts | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
values = st.builds(Value.of, plain | st.tuples(plain, st.frozensets(st.integers(), max_size=3)))
errors = st.builds(
    ErrorRecord,
    type=texts,
    message=texts,
    bases=st.lists(texts, max_size=2).map(tuple),
    traceback=texts,
    frames=st.lists(st.builds(Frame, texts, counts, texts, texts, st.booleans()), max_size=2).map(tuple),
)
indices = st.none() | counts
tasks = st.builds(
    RecordedTask,
    name=names,
    task=names,
    executor=names,
    mapped=st.none() | names,
    upstream=st.lists(names, max_size=2).map(tuple),
    depth=counts,
    elementwise=st.none() | names,
    kept=st.booleans(),
    structure=texts,
    allow_failure=st.booleans(),
    critical=st.booleans(),
    cleanup=st.booleans(),
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        RunStarted,
        run_id=names,
        dag=texts,
        file=texts,
        module=texts,
        params=st.dictionaries(names, st.builds(RecordedParam, values, names), max_size=2),
        executor=st.none() | names,
        notes=st.lists(texts, max_size=2).map(tuple),
        tasks=st.lists(tasks, max_size=2).map(tuple),
        version=texts,
        python=texts,
        loop=texts,
        trace=st.dictionaries(texts, texts, max_size=2),
        tags=st.dictionaries(texts, texts, max_size=2),
        code=texts,
        revision=texts,
        structure=texts,
        sources=st.dictionaries(texts, texts, max_size=2),
        replay_of=texts,
        selected_out=st.lists(names, max_size=2).map(tuple),
        fail_fast=st.booleans(),
    ),
    st.builds(TaskReady, names, indices),
    st.builds(AttemptStarted, names, indices, counts, names, indices),
    st.builds(
        AttemptFinished,
        task=names,
        map_index=indices,
        attempt=counts,
        state=st.sampled_from(AttemptState),
        cause=st.sampled_from(Cause),
        error=st.none() | errors,
        worker=texts,
        peak_rss_bytes=indices,
        cpu_s=st.none() | times,
        started=times,
        value=st.none() | values,
        final=st.booleans(),
        retry_in_s=st.none() | times,
    ),
    st.builds(
        TaskFinished,
        names,
        indices,
        st.sampled_from(TaskState),
        st.sampled_from(Cause),
        st.none() | errors,
        st.none() | values,
    ),
    st.builds(RunCancelling, texts, st.sampled_from(Cause)),
    st.builds(RunPausing, texts, st.booleans()),
    st.builds(RunPaused),
    st.builds(
        RunResumed, texts, st.booleans(), st.booleans(), st.none() | names, st.dictionaries(texts, texts, max_size=2)
    ),
    st.builds(
        RunFinished,
        run_id=names,
        status=st.sampled_from(RunStatus),
        cause=st.none() | st.sampled_from(Cause),
        result=st.none() | values,
        error=st.none() | errors,
    ),
)

ONE_OF_EACH: dict[type, Event] = {
    RunStarted: RunStarted(
        run_id="r1",
        dag="census",
        file="dag.py",
        module="dag",
        params={"root": RecordedParam(Value.of({"a": (1, b"\xff")}), "-p")},
        notes=("inline does not enforce: memory of census",),
        tasks=(RecordedTask(name="census", task="dag:census", executor="process", upstream=("files",), depth=1),),
        version="0.1",
        python="3.11",
        loop="trio",
    ),
    TaskReady: TaskReady("census", 3),
    AttemptStarted: AttemptStarted("census", 2, 1, "process"),
    AttemptFinished: AttemptFinished(
        task="census",
        map_index=None,
        attempt=2,
        state=AttemptState.failed,
        cause=Cause.error,
        error=ErrorRecord(type="m:E", message="no", frames=(Frame("f.py", 1, "f", "x", True),)),
        retry_in_s=0.5,
        final=False,
    ),
    TaskFinished: TaskFinished("census", 2, TaskState.succeeded, Cause.reused, None, Value.of([1])),
    RunCancelling: RunCancelling("ctrl-c"),
    RunPausing: RunPausing("ada", now=True),
    RunPaused: RunPaused(),
    RunResumed: RunResumed("ada", taken_up=True, refreshed=True, sources={"dag:census": "0a"}),
    RunFinished: RunFinished(run_id="r1", status=RunStatus.succeeded, cause=Cause.ran, result=Value.of({3: {4}})),
}


@given(ts=times, event=events)
def test_every_event_comes_back_from_its_row_as_it_was(ts: float, event: Event) -> None:
    assert decode_row(encode_row(ts, event)) == (ts, event)


@given(ts=st.floats(0, 1e10), event=events)
def test_every_event_has_a_plain_json_form(ts: float, event: Event) -> None:
    fields = to_json(Record(1, ts, event))

    assert json.loads(json.dumps(fields, allow_nan=False)) == fields


@pytest.mark.parametrize("kind", EVENT_NAMES, ids=lambda kind: kind.__name__)
def test_the_json_of_an_event_is_its_head_and_then_its_fields(kind: type) -> None:
    fields = to_json(Record(7, 1.5, ONE_OF_EACH[kind]))

    assert list(fields) == ["v", "seq", "ts", "type", *kind.__annotations__]
    assert (fields["v"], fields["seq"], fields["ts"], fields["type"]) == (1, 7, 1.5, EVENT_NAMES[kind])


def test_values_and_errors_are_rendered_in_the_json() -> None:
    header: Any = to_json(Record(1, 0.0, ONE_OF_EACH[RunStarted]))
    failed: Any = to_json(Record(2, 0.0, ONE_OF_EACH[AttemptFinished]))
    end: Any = to_json(Record(3, 0.0, ONE_OF_EACH[RunFinished]))

    assert header["params"] == {"root": {"value": {"a": [1, "/w=="]}, "source": "-p"}}
    assert header["tasks"][0]["upstream"] == ["files"]
    assert failed["error"]["frames"] == [{"file": "f.py", "line": 1, "function": "f", "source": "x", "ours": True}]
    assert end["result"] == {"3": [4]}
    assert end["status"] == "succeeded"


def test_a_row_keeps_the_encoded_value_without_decoding_it() -> None:
    value = Value.from_bytes(b"\x93not a value")
    event = AttemptFinished(
        task="t", map_index=None, attempt=1, state=AttemptState.succeeded, cause=Cause.ran, value=value
    )

    _, found = decode_row(encode_row(0.0, event))

    assert isinstance(found, AttemptFinished)
    assert found.value is not None
    assert found.value.data() == b"\x93not a value"


def test_a_parameter_that_cannot_be_encoded_is_named() -> None:
    header = RunStarted(
        run_id="r", dag="d", file="f", module="m", params={"when": RecordedParam(Value.of([object()]), "bind")}
    )

    with pytest.raises(EncodeError, match=r"^when\[0\]: cannot encode object"):
        encode_row(0.0, header)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", pack([]), pack([0.0]), pack([0.0, 99]), pack([0.0, 4, "t"]), pack(7), pack([0.0, 2, "t", 1, 2, 3])],
)
def test_bytes_that_are_no_row_are_refused(data: bytes) -> None:
    with pytest.raises(RowError, match="no row of a journal"):
        decode_row(data)


@pytest.mark.parametrize("data", [b"", b"\xc1", pack([]), pack([0.0]), pack([0.0, 99]), pack([0.0, [4]]), pack(7)])
def test_bytes_that_are_no_row_are_refused_without_making_an_event(data: bytes) -> None:
    with pytest.raises(RowError, match="no row of a journal"):
        require_row(data)


@given(event=events)
def test_a_row_with_its_values_in_it_is_passed_without_making_an_event(event: Event) -> None:
    require_row(encode_row(0.0, event))


@pytest.mark.parametrize("is_large", [True, False])
def test_a_row_that_names_a_large_value_is_told_by_its_bytes(is_large: bool) -> None:
    value = Value.of(b"some value")
    event = TaskFinished("t", 3, TaskState.succeeded, Cause.reused, None, value)
    digest = hashlib.sha256(value.data()).digest()

    row = encode_row(0.0, event, (lambda name, value: [digest, 100_000]) if is_large else inline)

    assert may_name_large_value(row) is is_large


@given(event=events, cut=st.integers(0, 400))
def test_a_row_cut_short_is_refused_and_nothing_else_is_raised(event: Event, cut: int) -> None:
    row = encode_row(0.0, event)[:-1][:cut]

    with pytest.raises(RowError):
        decode_row(row)
