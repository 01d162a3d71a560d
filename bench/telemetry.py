"""What telemetry costs an attempt: nothing to speak of when off, and how much when on. Prints JSON.

The same durable run with and without telemetry in turn, to an OTLP collector in a process of its own that reads and
throws away. `loop_us`: CPU of the run's own thread, which is what delays other tasks. `cpu_us`: of the whole process,
with the threads beside it that make and send spans. `run_us`: wall time until the run's last event is on disk. Each is
the median over BENCH_REPEATS (default 5) pairs of the difference, less that of a run of one task (`fixed_ms`), for each
attempt. A fan is a wide map, of which few instances have spans; a chain is the dearest case, with two spans for each
attempt, on tasks that do nothing. CPU on a busy machine counts for more than it is: look at `off` beside it.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import actorflow
from actorflow.hot_value import hot_value_by_name
from actorflow.runs.events import Record, RunFinished
from actorflow.runs.executor import AttemptSpec
from bench import _noop_dags as dags

REPEATS = int(os.environ.get("BENCH_REPEATS", "5"))
FAN_WIDTH = 10_000
COLLECTOR = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds of one run."""

    loop_s: float
    cpu_s: float
    run_s: float

    def over(self, other: Taken) -> Taken:
        return Taken(self.loop_s - other.loop_s, self.cpu_s - other.cpu_s, self.run_s - other.run_s)

    def each_us(self, attempts: int) -> dict[str, float]:
        """Of each attempt, in microseconds."""
        each = 1e6 / attempts
        return {
            "loop_us": round(self.loop_s * each, 1),
            "cpu_us": round(self.cpu_s * each, 1),
            "run_us": round(self.run_s * each, 1),
        }


@contextlib.contextmanager
def collector() -> Generator[str]:
    """The endpoint of one that throws everything away."""
    with subprocess.Popen([sys.executable, "-c", COLLECTOR], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def timed(bound: actorflow.BoundDag[int], *, telemetry: bool) -> Taken:
    ended_s: list[float] = []

    def watch(records: Sequence[Record]) -> None:
        if isinstance(records[-1].event, RunFinished):
            ended_s.append(time.perf_counter())

    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_STORE")) as store:
        began_s, loop_s, cpu_s = time.perf_counter(), time.thread_time(), time.process_time()
        result = actorflow.run(bound, store=store, on_records=watch, telemetry=telemetry)
        taken = Taken(time.thread_time() - loop_s, time.process_time() - cpu_s, ended_s[0] - began_s)
    assert result.status == "succeeded", result.error
    return taken


def pairs(bound: actorflow.BoundDag[int]) -> tuple[Taken, Taken]:
    """(without telemetry, what telemetry adds), after a pair that is not counted."""
    off: list[Taken] = []
    added: list[Taken] = []
    for _ in range(REPEATS + 1):
        off.append(timed(bound, telemetry=False))
        added.append(timed(bound, telemetry=True).over(off[-1]))
    return median(off[1:]), median(added[1:])


def median(taken: Sequence[Taken]) -> Taken:
    return Taken(
        statistics.median(one.loop_s for one in taken),
        statistics.median(one.cpu_s for one in taken),
        statistics.median(one.run_s for one in taken),
    )


def case(bound: actorflow.BoundDag[int], attempts: int, fixed: Taken) -> dict[str, object]:
    off, added = pairs(bound)
    return {
        "attempts": attempts,
        "off": off.each_us(attempts),
        "added_when_on": added.over(fixed).each_us(attempts),
        "limit_us": 40,
    }


@hot_value_by_name
class BareSpec:
    """An AttemptSpec as it would be without telemetry."""

    run_id: str
    step: str
    map_index: int | None
    number: int
    task: str
    arguments: dict[str, object]
    timeout_s: float | None = None
    memory_bytes: int | None = None


def cost_when_off() -> dict[str, float]:
    """Two fields of an attempt are all that telemetry adds to the path of an attempt that has none."""
    count = 200_000

    def bare() -> None:
        for index in range(count):
            BareSpec(run_id="r", step="s", map_index=index, number=1, task="m:s", arguments={})

    def ours() -> None:
        for index in range(count):
            AttemptSpec(run_id="r", step="s", map_index=index, number=1, task="m:s", arguments={}, width=count)

    return {"without_us": best_us(bare, count), "with_us": best_us(ours, count)}


def best_us(call: object, count: int) -> float:
    taken: list[float] = []
    for _ in range(5):
        before = time.perf_counter()
        assert callable(call)
        call()
        taken.append(time.perf_counter() - before)
    return round(min(taken) / count * 1e6, 3)


def main() -> None:
    with collector() as endpoint:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
        _, fixed = pairs(dags.fan.bind(1))
        report = {
            "off": cost_when_off(),
            "fixed_ms": {"cpu": round(fixed.cpu_s * 1000, 1), "run": round(fixed.run_s * 1000, 1)},
            f"fan_{FAN_WIDTH}": case(dags.fan.bind(FAN_WIDTH), FAN_WIDTH + 2, fixed),
            "chain_1000": case(dags.chain_1000.bind(), 1_000, fixed),
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
