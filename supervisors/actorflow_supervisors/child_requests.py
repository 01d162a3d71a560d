"""Child requests: what a caller may ask about one child of a supervisor.

| request | unknown id    | stopped                    | starting, running, stopping, backoff | abandoned           |
|---------|---------------|----------------------------|-----------------------------------------|---------------------|
| start   | started       | `ChildExists`              | `ChildExists`                           | `ChildExists`       |
| stop    | `NoSuchChild` | done                       | stopped, and not restarted              | `ChildDidNotStop`   |
| restart | `NoSuchChild` | started                    | `ChildStillRunning`                     | `ChildStillRunning` |
| delete  | `NoSuchChild` | forgotten                  | `ChildStillRunning`                     | `ChildStillRunning` |

A start that fails, or whose caller goes away before it has finished, is undone. A stopping or ended supervisor answers
`SupervisorNotRunning`. Source: Erlang/OTP `start_child`, `terminate_child`, `restart_child`, `delete_child`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorflow_supervisors import instructions as do
from actorflow_supervisors.child_record import Child
from actorflow_supervisors.episode import Episode
from actorflow_supervisors.errors import (
    ChildDidNotStop,
    ChildStartFailed,
    ChildStillRunning,
    NoSuchChild,
    SupervisorError,
    SupervisorNotRunning,
)
from actorflow_supervisors.exit_reason import Shutdown
from actorflow_supervisors.strategy import Strategy
from actorflow_supervisors.tree import ChildState

if TYPE_CHECKING:
    from actorflow_supervisors.supervisor_state import SupervisorState


def start_child(state: SupervisorState, told: do.StartChildAsked) -> None:
    """Add a child after the others and start it."""
    if not _accepts(state, told.request):
        return
    try:
        child = state.add(told.spec, new=True)
    except SupervisorError as error:
        state.answer(told.request, error)
        return
    _start_soon(state, child, told.request)


def stop_child(state: SupervisorState, told: do.StopChildAsked) -> None:
    """Stop a child, whatever it is doing, and keep it from being restarted alone."""
    child = _known(state, told.request, told.child_id)
    if child is None:
        return
    child.rerun = False
    state.episodes.need_not_start(child.id)
    if child.state is ChildState.abandoned:
        state.answer(told.request, ChildDidNotStop(child.id, child.spec.shutdown_s or 0.0))
        return
    if child.alive:
        child.stop_requests.append(told.request)
    else:
        state.answer(told.request)
    if child.start_request is not None:
        undo_start(state, child, ChildStartFailed(child.id, Shutdown("asked to stop")))
    elif child.alive:
        state.stop(child)


def restart_child(state: SupervisorState, told: do.RestartChildAsked) -> None:
    """Start a stopped child again."""
    child = _known(state, told.request, told.child_id)
    if child is not None and _is_stopped(state, child, told.request):
        _start_soon(state, child, told.request)


def delete_child(state: SupervisorState, told: do.DeleteChildAsked) -> None:
    """Forget a stopped child."""
    child = _known(state, told.request, told.child_id)
    if child is not None and _is_stopped(state, child, told.request):
        state.forget(child)
        state.answer(told.request)


def drop_request(state: SupervisorState, told: do.RequestDropped) -> None:
    """The caller went away: a start that has not finished is undone, anything else goes on unobserved."""
    for child in list(state.children.values()):
        if told.request in child.stop_requests:
            child.stop_requests.remove(told.request)
        if child.start_request == told.request:
            child.start_request = None
            undo_start(state, child)


def undo_start(state: SupervisorState, child: Child, error: SupervisorError | None = None) -> None:
    """The start of `child` failed or is not wanted any more: stop what runs of it, and forget it if it is new."""
    state.answer_start(child, error)
    state.episodes.need_not_start(child.id)
    child.unwanted = child.new
    if child.alive:
        state.stop(child)
    elif child.state is ChildState.stopped and child.forgotten_at_end:
        state.forget(child)


def _start_soon(state: SupervisorState, child: Child, request: int) -> None:
    child.start_request = request
    if state.rules.strategy is not Strategy.one_for_one:
        for episode in state.episodes:
            # A group restart is in progress, and this child comes after those that are down: it waits for them.
            episode.to_start.add(child.id)
            return
    state.episodes.add(Episode(set(), {child.id}))


def _accepts(state: SupervisorState, request: int) -> bool:
    if not state.accepts_requests:
        state.answer(request, SupervisorNotRunning(f"supervisor {state.path!r} is stopping or has ended"))
    return state.accepts_requests


def _known(state: SupervisorState, request: int, child_id: str) -> Child | None:
    if not _accepts(state, request):
        return None
    child = state.children.get(child_id)
    if child is None:
        state.answer(request, NoSuchChild(child_id, tuple(state.children)))
    return child


def _is_stopped(state: SupervisorState, child: Child, request: int) -> bool:
    shown = state.shown_state(child)
    if shown is not ChildState.stopped:
        state.answer(request, ChildStillRunning(child.id, shown))
    return shown is ChildState.stopped
