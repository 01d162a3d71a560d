"""Traced actors: a system whose messages are spans, each below whoever sent it, and whose failures are counted.

Handling a message is one span, `Class.handler`, from its first line to its last; sent from inside a handler or a span
of the program's own, it is a child of that, else a trace of its own. So an ask and all that it asks are one trace, and
no trace grows with an actor's age. The sender's context travels with the message as a `traceparent`.

A plain `ActorSystem` knows nothing of this: where nobody asks for spans, a message pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from opentelemetry import context, trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, TracerProvider

from actorflow.actors import admission
from actorflow.actors.actor import Actor
from actorflow.actors.cell import Cell
from actorflow.actors.dispatch import Method, leaf_of
from actorflow.actors.envelope import Ask, Tell
from actorflow.actors.mailbox import Inbox, Mailbox
from actorflow.actors.system import ActorSystem
from actorflow.telemetry.actor_metrics import ActorMetrics
from actorflow.version import VERSION
from actorflow_supervisors.child import ChildPolicy

ACTOR_PATH = "actorflow.actor.path"
ACTOR_INCARNATION = "actorflow.actor.incarnation"
HANDLER = "actorflow.actor.handler"


@dataclass(frozen=True, slots=True)
class Sender:
    """The context of who sent a message, as W3C headers; the first argument of each message on its way."""

    headers: dict[str, str]


class TracedActorSystem(ActorSystem):
    """An `ActorSystem` whose messages are spans of `provider`, or of the program's own provider.

    Restarts and dead letters are counted in `meter_provider`, or the own one (actorflow/telemetry/actor_metrics.py).
    Its options are those of `ActorSystem`. Actors placed in other processes are spans there only if those set them up;
    their restarts are counted here.
    """

    def __init__(
        self, *, provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.tracer = trace.get_tracer("actorflow", VERSION, tracer_provider=provider)
        self._metrics = ActorMetrics(meter_provider)
        self._on_exit = self._metrics.incarnation_ended

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.dead_letters.subscribe(self._metrics.dead_letter)
        return self

    def new_cell(
        self, parent: Cell | None, factory: Callable[[], Actor], name: str | None, policy: ChildPolicy, mailbox: Mailbox
    ) -> Cell:
        return TracedCell(self.tracer, self, parent, factory, name, policy, mailbox)


class TracedCell(Cell):
    """A cell that takes the sender's context in with a message, and handles it inside a span."""

    __slots__ = ("_tracer",)

    def __init__(self, tracer: Tracer, *args: Any) -> None:
        super().__init__(*args)
        self._tracer = tracer
        self.inbox = Inbox(self.inbox.settings, inspected=True)  # each message passes `admit_...` below

    async def admit_tell(self, message: Tell) -> None:
        await admission.admit_tell(self, _with_sender(message))

    def admit_nowait(self, message: Tell) -> bool:
        return admission.admit_nowait(self, _with_sender(message))

    async def admit_ask(self, ask: Ask) -> None:
        ask.args = (_sender(), *ask.args)
        await admission.admit_ask(self, ask)

    def _bind(self, actor: Actor) -> dict[str, Method]:
        declared = self.table.handlers
        return {
            name: self._spanned(f"{type(actor).__name__}.{name}", method, declared[name].raises)
            for name, method in super()._bind(actor).items()
        }

    def _spanned(self, name: str, method: Method, answers: tuple[type[Exception], ...]) -> Method:
        attributes = {ACTOR_PATH: self.path, HANDLER: name.partition(".")[2]}

        async def call(*args: Any, **kwargs: Any) -> Any:
            sender = args[0].headers if args and type(args[0]) is Sender else {}
            above = extract(sender, context=context.Context())
            given = args[1:] if args and type(args[0]) is Sender else args
            kind = SpanKind.SERVER if isinstance(self.current, Ask) else SpanKind.CONSUMER
            with self._tracer.start_as_current_span(
                name,
                context=above,
                kind=kind,
                attributes={**attributes, ACTOR_INCARNATION: self.incarnation},
                record_exception=False,
                set_status_on_exception=False,
            ) as span:
                try:
                    return await method(*given, **kwargs)
                except BaseException as error:
                    if not answers or not isinstance(leaf_of(error), answers):
                        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
                        span.record_exception(error)
                    raise

        return call


def _sender() -> Sender:
    headers: dict[str, str] = {}
    inject(headers)
    return Sender(headers)


def _with_sender(message: Tell) -> Tell:
    name, args, kwargs = message
    return (name, (_sender(), *args), kwargs)


__all__ = ["ACTOR_INCARNATION", "ACTOR_PATH", "HANDLER", "TracedActorSystem"]
