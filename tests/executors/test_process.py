"""What the process executor makes of an attempt that ends by itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import anyio
import pytest

from actorflow.runs.executor import AttemptState, Cause, Outcome
from actorflow.runs.values import Value
from tests.faults import process_tasks as tasks
from tests.faults.leaks import leak_audit as leak_audit
from tests.faults.process_site import Pipe, bench
from tests.faults.process_site import pipe as pipe

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]


def value_of(outcome: Outcome) -> object:
    assert outcome.error is None, outcome.error
    assert outcome.state is AttemptState.succeeded
    assert outcome.cause is Cause.ran
    assert outcome.value is not None
    return outcome.value.get()


@pytest.mark.parametrize(
    ("task", "arguments", "result"),
    [
        (tasks.add, {"a": 1, "b": 2}, 3),
        ("decorated", {"a": 4}, 8),
        (tasks.later, {"a": 1}, 2),
        (tasks.moved, {"point": tasks.Point(1, Path("/a"))}, tasks.Point(2, Path("/a/moved"))),
        (tasks.echo, {"value": {"set": {1, 2}, "tuple": (None, b"\xff", 1 << 80), 3: Path("x")}}, ...),
    ],
)
async def test_a_task_gets_its_arguments_and_gives_its_result(
    task: Callable[..., object] | str, arguments: dict[str, object], result: object
) -> None:
    async with bench() as executor:
        outcome = await executor.run(task, **arguments)

    assert value_of(outcome) == (arguments["value"] if result is ... else result)


async def test_a_large_value_crosses_both_ways() -> None:
    large = os.urandom(1 << 20) * 24
    async with bench() as executor:
        outcome = await executor.run(tasks.echo, value=large)

    assert value_of(outcome) == large


async def test_an_outcome_names_its_worker_and_says_what_it_took() -> None:
    async with bench() as executor:
        outcome = await executor.run(tasks.use, mib=64)
        small = await executor.run(tasks.pid)

    assert outcome.worker == f"process-1 (pid {value_of(small)})"
    assert outcome.peak_rss_bytes is not None
    assert small.peak_rss_bytes is not None
    assert outcome.peak_rss_bytes > 64 << 20
    assert small.peak_rss_bytes < outcome.peak_rss_bytes


@pytest.mark.parametrize("task", [tasks.burn, tasks.burn_in_child])
async def test_cpu_seconds_are_those_of_the_attempt(task: Callable[..., object]) -> None:
    async with bench() as executor:
        busy = await executor.run(task, cpu_s=0.3)
        idle = await executor.run(tasks.pid)

    assert busy.cpu_s is not None
    assert busy.cpu_s >= 0.3
    assert idle.cpu_s is not None
    assert idle.cpu_s < 0.3


async def test_an_idle_worker_is_used_again_before_another_is_started() -> None:
    async with bench(workers=2) as executor:
        pids = [value_of(await executor.run(tasks.pid)) for _ in range(3)]

    assert len(set(pids)) == 1


async def test_attempts_run_side_by_side_in_processes_of_their_own(tmp_path: Path, pipe: Pipe) -> None:
    other = Pipe(tmp_path / "other")
    met: list[object] = []

    async def meet(ours: Pipe, theirs: Pipe) -> None:
        met.append(value_of(await executor.run(tasks.meet, ours=ours.path, theirs=theirs.path)))

    async with bench(workers=2) as executor, anyio.create_task_group() as group:
        group.start_soon(meet, pipe, other)
        group.start_soon(meet, other, pipe)
    other.close()

    assert len(set(met)) == 2
    assert os.getpid() not in met


async def test_an_exception_comes_back_with_its_bases_and_the_frames_of_the_user() -> None:
    async with bench() as executor:
        outcome = await executor.run(tasks.fail, text="no such row")

    assert (outcome.state, outcome.cause, outcome.value) == (AttemptState.failed, Cause.error, None)
    assert outcome.error is not None
    assert outcome.error.type == "builtins:FileNotFoundError"
    assert outcome.error.message == "no such row"
    assert "builtins:OSError" in outcome.error.bases
    assert outcome.error.traceback.endswith("FileNotFoundError: no such row\n")
    users = [(frame.function, frame.source) for frame in outcome.error.frames if not frame.ours]
    assert users == [("fail", "raise FileNotFoundError(text)")]


@pytest.mark.parametrize(
    ("kind", "type_name"),
    [
        ("sys.exit", "builtins:SystemExit"),
        ("keyboard interrupt", "builtins:KeyboardInterrupt"),
        ("base exception", "tests.faults.process_tasks:Stop"),
        ("generator exit", "builtins:GeneratorExit"),
        ("group", "builtins:BaseExceptionGroup"),
        ("recursion", "builtins:RecursionError"),
    ],
)
async def test_whatever_a_task_raises_is_a_failure_of_its_attempt(kind: str, type_name: str) -> None:
    async with bench() as executor:
        outcome = await executor.run(tasks.end, kind=kind)
        after = await executor.run(tasks.add, a=1, b=1)

    assert (outcome.state, outcome.cause) == (AttemptState.failed, Cause.error)
    assert outcome.error is not None
    assert outcome.error.type == type_name
    assert value_of(after) == 2
    assert after.worker == outcome.worker


async def test_a_result_that_cannot_be_encoded_names_the_path_inside_it() -> None:
    async with bench() as executor:
        outcome = await executor.run(tasks.unencodable)

    assert (outcome.state, outcome.cause) == (AttemptState.failed, Cause.bad_output)
    assert outcome.error is not None
    assert "result['rows'][1]['when']" in outcome.error.message


async def test_an_argument_that_cannot_be_encoded_is_bad_input() -> None:
    async with bench() as executor:
        outcome = await executor.run(tasks.echo, value=[sys.stdin])

    assert (outcome.state, outcome.cause) == (AttemptState.failed, Cause.bad_input)
    assert outcome.error is not None
    assert "value[0]" in outcome.error.message


async def test_an_argument_that_cannot_be_decoded_is_bad_input() -> None:
    point = Value.of(tasks.Point(1, Path("x"))).data()
    damaged = Value.from_bytes(point.replace(b"Point", b"Paint"))
    async with bench() as executor:
        outcome = await executor.run(tasks.echo, value=damaged)

    assert (outcome.state, outcome.cause) == (AttemptState.failed, Cause.bad_input)
    assert outcome.error is not None
    assert "argument 'value'" in outcome.error.message


async def test_what_a_task_prints_goes_to_standard_error_and_harms_no_result(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with bench() as executor:
        outcome = await executor.run(tasks.noisy)
    printed = capfd.readouterr()

    assert value_of(outcome) == "result"
    assert printed.out == ""
    for line in ("printed by the task", "written to descriptor 1", "echoed by a child"):
        assert line in printed.err


async def test_a_task_sees_its_standard_streams_one_socket_and_the_memory_in_which_it_counts() -> None:
    async with bench() as executor:
        outcome = await executor.run(tasks.descriptors)

    found = cast("list[int]", value_of(outcome))
    assert found[:3] == [0, 1, 2]
    assert len(found) == 5


async def test_a_worker_has_the_import_path_of_its_run_and_no_input() -> None:
    async with bench() as executor:
        outcome = await executor.run(tasks.surroundings)

    found = cast("tuple[list[str], str, list[str]]", value_of(outcome))
    assert found[:2] == ([tasks.__file__], "")
    assert set(sys.path) <= set(found[2])


async def test_a_module_that_cannot_be_imported_fails_its_attempts_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "broken_dag.py"
    file.write_text("import no_such_module_at_all\n")
    async with bench(module="broken_dag", file=str(file)) as executor:
        outcome = await executor.run("anything")
        again = await executor.run("anything")

    assert (outcome.state, outcome.cause) == (AttemptState.failed, Cause.error)
    assert outcome.error is not None
    assert "no_such_module_at_all" in outcome.error.message
    assert again.worker == outcome.worker


async def test_a_module_is_imported_from_its_folder_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "helper_of_dag.py").write_text("def twice(n: int) -> int:\n    return 2 * n\n")
    file = tmp_path / "lonely_dag.py"
    file.write_text("import helper_of_dag\ndef work(n): return [helper_of_dag.twice(n), __name__]\n")
    async with bench(module="lonely_dag", file=str(file)) as executor:
        outcome = await executor.run("work", n=21)

    assert value_of(outcome) == [42, "lonely_dag"]


async def test_a_task_that_forks_and_returns_twice_is_answered_once() -> None:
    async with bench() as executor:
        first = await executor.run(tasks.returns_twice)
        second = await executor.run(tasks.echo, value="second")

    assert first.worker == f"process-1 (pid {value_of(first)})"
    assert value_of(second) == "second"


async def test_closing_with_nothing_ever_run_starts_no_process() -> None:
    async with bench() as executor:
        assert executor.executor.workers == 1


def test_by_default_there_are_as_many_workers_as_cpus_to_run_on() -> None:
    from actorflow.executors.process import ProcessExecutor

    assert ProcessExecutor().workers == len(os.sched_getaffinity(0))
