"""Task context: what a task may know of the attempt in which it runs, wherever that is."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from actorflow.runs.executor import AttemptSpec


@dataclass(frozen=True, slots=True)
class TaskContext:
    """One attempt. task: the step's name. map_index: None for a plain step. attempt: from 1."""

    run_id: str
    task: str
    map_index: int | None
    attempt: int

    @property
    def idempotency_key(self) -> str:
        """Of the work, not of the attempt: equal over retries and resumes, and no other task instance has it."""
        index = "" if self.map_index is None else f"[{self.map_index}]"
        return f"{self.run_id}/{self.task}{index}"


_current: ContextVar[TaskContext] = ContextVar("actorflow_task_context")


def task_context() -> TaskContext:
    """The attempt in which this code runs. Raises RuntimeError outside of a task.

    In threads that a task starts it is known where they were given the task's context: those of `anyio.to_thread` and
    `asyncio.to_thread` are.
    """
    try:
        return _current.get()
    except LookupError:
        raise RuntimeError(
            "task_context() was called outside of a task; call it in a task's body, or in a thread that has its context"
        ) from None


@contextmanager
def in_task(context: TaskContext) -> Generator[None]:
    """For executors: code inside runs in that attempt."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)


def context_of(attempt: AttemptSpec) -> TaskContext:
    return TaskContext(attempt.run_id, attempt.step, attempt.map_index, attempt.number)
