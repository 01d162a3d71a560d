"""A web service with a supervised actor inside, which runs pipelines from its requests.

python examples/embed_starlette.py
curl http://127.0.0.1:8000/health
curl -X POST http://127.0.0.1:8000/visits
curl -X POST "http://127.0.0.1:8000/totals?count=5"

The actors start before the first request and stop after the last one; whoever stops the service waits for both.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypedDict

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from actorflow import Actor, ActorRef, ActorSystem, RunStatus, dag, handler, run_async, task
from actorflow.errors import ActorCrashed
from actorflow.supervisors import ExitReason, LoopWatchdog


class Counter(Actor):
    """Counts visits. A crash loses the count; the service goes on, and so do the visits that wait."""

    def __init__(self) -> None:
        self.visits = 0

    async def stopping(self, reason: ExitReason) -> None:
        print(f"counter: stopped after {self.visits} visits", flush=True)

    @handler
    async def visit(self) -> int:
        self.visits += 1
        return self.visits

    @handler
    async def fail(self) -> None:
        raise RuntimeError("told to fail")


@task
async def numbers(count: int) -> list[int]:
    return list(range(1, count + 1))


@task
async def square(number: int) -> int:
    return number * number


@task
async def total(squares: list[int]) -> int:
    return sum(squares)


@dag
def totals(count: int = 3) -> int:
    """The sum of the first squares."""
    return total(square.map(numbers(count)))


class Parts(TypedDict):
    """What the lifespan hands to every request, as `request.state`."""

    system: ActorSystem
    counter: ActorRef[Counter]


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncGenerator[Parts]:
    """Start the actors before the first request, stop them after the last one."""
    async with ActorSystem(watchdog=LoopWatchdog(limit_s=0.25)) as system:
        yield Parts(system=system, counter=await system.spawn(Counter, name="counter"))


async def health(request: Request) -> JSONResponse:
    """The tree of actors; 503 once one has used up its restarts and is gone."""
    system: ActorSystem = request.state.system
    healthy = system.whereis("counter") is not None
    actors = [tree.to_json() for tree in system.tree()]
    return JSONResponse({"healthy": healthy, "actors": actors}, status_code=200 if healthy else 503)


async def visits(request: Request) -> JSONResponse:
    counter: ActorRef[Counter] = request.state.counter
    return JSONResponse({"visits": await counter.ask(Counter.visit)})


async def failures(request: Request) -> JSONResponse:
    """Make the counter crash, to watch it come back at /health."""
    counter: ActorRef[Counter] = request.state.counter
    try:
        await counter.ask(Counter.fail)
    except ActorCrashed as error:
        return JSONResponse({"error": str(error)}, status_code=500)
    raise AssertionError("it fails always")


async def run_totals(request: Request) -> JSONResponse:
    """Run a pipeline, journalled like any other: `actorflow show` and `actorflow actors` know it."""
    result = await run_async(totals.bind(count=int(request.query_params.get("count", "3"))))
    if result.status is not RunStatus.succeeded:
        return JSONResponse({"run_id": result.run_id, "status": result.status.value}, status_code=500)
    return JSONResponse({"run_id": result.run_id, "total": result.value})


app = Starlette(
    routes=[
        Route("/health", health),
        Route("/visits", visits, methods=["POST"]),
        Route("/failures", failures, methods=["POST"]),
        Route("/totals", run_totals, methods=["POST"]),
    ],
    lifespan=lifespan,
)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A web service with a supervised actor inside.")
    parser.add_argument("--port", type=int, default=8000, help="0: any free one")
    uvicorn.run(app, host="127.0.0.1", port=parser.parse_args().port)
