"""The first signal stops, the second kills, and a run that does not end by itself is left after a bounded wait."""

from __future__ import annotations

import signal
import threading
from typing import Literal

import pytest

from actorflow.cli import stopping
from actorflow.cli.exits import Terminated
from actorflow.cli.stopping import Stopper, sigterm_raises
from actorflow.cli.view import Grace


class Asked:
    """A run that writes down what it was asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def cancel(self, reason: str) -> None:
        self.calls.append(f"cancel {reason}")

    def kill(self) -> None:
        self.calls.append("kill")


Loop = Literal["asyncio", "trio"]
KILLED = ("kill", "kill processes")


def stopper(
    run: Asked,
    told: list[Grace],
    *,
    loop: Loop = "asyncio",
    grace_s: float = 3600.0,
    left: threading.Event | None = None,
) -> Stopper:
    leave = left or threading.Event()
    return Stopper(
        run,
        loop=loop,
        grace_s=grace_s,
        tell=told.append,
        kill_processes=lambda: run.calls.append("kill processes"),
        leave=lambda code: leave.set(),
    )


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("signals", "calls", "first"),
    [
        ([], [], None),
        ([signal.SIGINT], ["cancel Ctrl-C"], signal.SIGINT),
        ([signal.SIGTERM], ["cancel SIGTERM"], signal.SIGTERM),
        ([signal.SIGINT, signal.SIGINT], ["cancel Ctrl-C", *KILLED], signal.SIGINT),
        ([signal.SIGTERM, signal.SIGINT], ["cancel SIGTERM", *KILLED], signal.SIGTERM),
        ([signal.SIGHUP], ["cancel SIGHUP, the terminal is gone"], signal.SIGHUP),
        ([signal.SIGHUP, signal.SIGTERM], ["cancel SIGHUP, the terminal is gone", *KILLED], signal.SIGHUP),
        ([signal.SIGQUIT], [*KILLED], signal.SIGQUIT),
        ([signal.SIGINT] * 3, ["cancel Ctrl-C", *KILLED, *KILLED], signal.SIGINT),
    ],
)
def test_the_first_signal_cancels_and_every_later_one_kills(
    signals: list[signal.Signals], calls: list[str], first: signal.Signals | None, loop: Loop
) -> None:
    run, told = Asked(), list[Grace]()
    answers = stopper(run, told, loop=loop)

    with answers.answering():
        for number in signals:
            signal.raise_signal(number)

    assert run.calls == calls
    assert answers.first is first
    assert [grace.killed for grace in told] == [call == "kill" for call in calls if call != "kill processes"]


def test_a_hangup_that_was_ignored_stays_so() -> None:
    run = Asked()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopper(run, []).answering():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)

    assert run.calls == []


def test_handlers_go_back_to_who_had_them() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stopper(Asked(), []).answering():
        assert signal.getsignal(signal.SIGINT) != before[0]

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_run_that_does_not_end_is_left_once_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "KILL_MARGIN_S", 0.0)
    left = threading.Event()

    with stopper(Asked(), [], grace_s=0.0, left=left).answering():
        signal.raise_signal(signal.SIGINT)
        assert left.wait(60)


def test_a_second_signal_shortens_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "KILL_MARGIN_S", 0.0)
    left = threading.Event()

    with stopper(Asked(), [], grace_s=3600.0, left=left).answering():
        signal.raise_signal(signal.SIGINT)
        assert not left.is_set()
        signal.raise_signal(signal.SIGINT)
        assert left.wait(60)


def test_a_run_that_ended_is_not_left() -> None:
    left = threading.Event()
    with stopper(Asked(), [], left=left).answering():
        signal.raise_signal(signal.SIGINT)

    assert not left.is_set()


def test_a_signal_is_answered_while_the_main_thread_is_blocked_for_good() -> None:
    run, told = Asked(), list[Grace]()
    cancelled = threading.Event()
    run.cancel = lambda reason: cancelled.set()  # type: ignore[method-assign]

    with stopper(run, told).answering():
        sender = threading.Thread(target=signal.raise_signal, args=(signal.SIGINT,))
        sender.start()
        sender.join()

        assert cancelled.wait(60)


def test_sigterm_while_a_file_loads_is_an_exception_of_its_own() -> None:
    with pytest.raises(Terminated), sigterm_raises():
        signal.raise_signal(signal.SIGTERM)
