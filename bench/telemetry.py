"""What telemetry costs an attempt: nothing to speak of when off, and how much when on. Prints JSON.

The same durable run with and without telemetry in turn, to an OTLP collector in a process of its own that reads and
throws away. `loop_us`: CPU of the run's own thread, which is what delays other tasks. `run_us`: wall time until the
run's last event is on disk. `whole_us`: until everything is sent, and the call returns. Each is the median over
BENCH_REPEATS (default 5) pairs of the difference, for each attempt. A fan is a wide map, of which few instances have
spans; a chain is the dearest case, with two spans for each attempt, on tasks that do nothing.
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
    run_s: float
    whole_s: float


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
        began_s, cpu_s = time.perf_counter(), time.thread_time()
        result = actorflow.run(bound, store=store, on_records=watch, telemetry=telemetry)
        taken = Taken(time.thread_time() - cpu_s, ended_s[0] - began_s, time.perf_counter() - began_s)
    assert result.status == "succeeded", result.error
    return taken


def case(bound: actorflow.BoundDag[int], attempts: int) -> dict[str, object]:
    pairs = [(timed(bound, telemetry=False), timed(bound, telemetry=True)) for _ in range(REPEATS + 1)][1:]

    def added(name: str) -> float:
        each = [float(getattr(on, name)) - float(getattr(off, name)) for off, on in pairs]
        return round(statistics.median(each) / attempts * 1e6, 1)

    return {
        "attempts": attempts,
        "off_us": round(statistics.median(off.run_s for off, _ in pairs) / attempts * 1e6, 1),
        "added_when_on": {"loop_us": added("loop_s"), "run_us": added("run_s"), "whole_us": added("whole_s")},
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
        report = {
            "off": cost_when_off(),
            f"fan_{FAN_WIDTH}": case(dags.fan.bind(FAN_WIDTH), FAN_WIDTH + 2),
            "chain_1000": case(dags.chain_1000.bind(), 1_000),
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
