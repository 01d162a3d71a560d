"""What a supervision tree should do, said once more and differently: plain recursion, everything at once.

It shares with the code under test the tables (policy, backoff) and nothing else: no inputs, no instructions, no
episodes. Children start and stop in no time; a broken one fails its start, a hanging one outlives its stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.exit_reason import Crashed, ExitReason, InitFailed, Shutdown
from actorflow_supervisors.policy import Restart, should_restart

NO_RANDOMNESS = Random(0)
"""For backoffs without jitter."""


@dataclass(frozen=True, slots=True)
class Leaf:
    id: str
    restart: Restart
    significant: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    id: str
    restart: Restart
    significant: bool
    strategy: str
    auto_shutdown: str
    max_restarts: int
    max_seconds: float
    backoff: Backoff | None
    children: tuple[Leaf | Branch, ...]


@dataclass(slots=True)
class World:
    """What children do, and what was done to them; shared by no one with the code under test."""

    broken: set[str] = field(default_factory=set[str])
    hanging: set[str] = field(default_factory=set[str])
    zombies: dict[str, tuple[Model, Kid]] = field(default_factory=dict[str, "tuple[Model, Kid]"])
    numbers: dict[str, int] = field(default_factory=dict[str, int])
    log: list[str] = field(default_factory=list[str])
    now_s: float = 0.0
    clock: int = 0


class Kid:
    def __init__(self, spec: Leaf | Branch) -> None:
        self.spec, self.state, self.number = spec, "down", 0
        self.started_s: float | None = None
        self.rerun = self.asked = False
        self.below: Model | None = None


@dataclass(slots=True, eq=False)
class Wait:
    """A group that starts at `due_s`."""

    due_s: float
    order: int
    kids: list[Kid]


class Model:
    def __init__(self, spec: Branch, path: str, world: World, ended: Callable[[ExitReason], None]) -> None:
        self.spec, self.path, self.world, self.ended = spec, path, world, ended
        self.kids = [Kid(child) for child in spec.children]
        self.waits: list[Wait] = []
        self.restarts_s: list[float] = []
        self.runs = True

    def boot(self) -> bool:
        for kid in self.kids:
            if not self.start(kid):
                self.halt()
                return False
        return True

    def halt(self) -> None:
        self.runs = False
        self.waits.clear()
        for kid in reversed(list(self.kids)):
            if kid.state == "up":
                self.stop(kid)

    def end(self, reason: ExitReason) -> None:
        self.halt()
        self.ended(reason)

    def start(self, kid: Kid) -> bool:
        path, world = f"{self.path}/{kid.spec.id}", self.world
        world.numbers[path] = world.numbers.get(path, 0) + 1
        world.log.append(f"start {path}#{world.numbers[path]}")
        kid.started_s, ok = None, path not in world.broken and path not in world.zombies
        if isinstance(kid.spec, Branch):
            kid.below = Model(kid.spec, path, world, lambda reason: self.down(kid, reason))
            ok = kid.below.boot()
        kid.state = "up" if ok else "down"
        if ok:
            kid.started_s, kid.asked = world.now_s, False
        return ok

    def stop(self, kid: Kid) -> None:
        path, kid.state = f"{self.path}/{kid.spec.id}", "down"
        self.world.log.append(f"stop {path}#{self.world.numbers[path]}")
        if kid.below is not None:
            kid.below.halt()
        if path in self.world.hanging:
            kid.state = "zombie"
            self.world.zombies[path] = (self, kid)
        elif kid.spec.restart is Restart.temporary:
            self.kids.remove(kid)

    def down(self, kid: Kid, reason: ExitReason, also: Iterable[Kid] = ()) -> None:
        """`kid` has ended by itself; `also` were to start after it."""
        kid.state = "down"
        if isinstance(reason, Crashed) and isinstance(reason.error, KeyboardInterrupt):
            self.end(reason)
            return
        if not should_restart(kid.spec.restart, reason):
            self.stays_down(kid)
            return
        now_s = self.world.now_s
        recent = [at_s for at_s in self.restarts_s if now_s - at_s <= self.spec.max_seconds]
        if len(recent) >= self.spec.max_restarts:
            self.end(Shutdown("intensity"))
            return
        self.restarts_s = [*recent, now_s]
        group = self.group(kid)
        for sibling in reversed(group):
            if sibling.state == "up":
                self.stop(sibling)
        wanted = {one for one in [*group, *also] if one.spec.restart is not Restart.temporary}
        due_s, order = now_s + self.delay_s(kid), self.tick()
        for wait in [wait for wait in self.waits if wanted & set(wait.kids)]:
            self.waits.remove(wait)
            wanted |= set(wait.kids)
            if wait.due_s >= due_s:
                due_s, order = wait.due_s, wait.order
        start = Wait(due_s, order, [one for one in self.kids if one in wanted])
        if due_s > now_s:
            self.waits.append(start)
        else:
            self.run(start)

    def run(self, wait: Wait) -> None:
        for place, kid in enumerate(wait.kids):
            if kid.state == "zombie":
                kid.rerun = True
            elif not self.start(kid):
                if not kid.asked:
                    self.down(kid, InitFailed(ValueError()), also=wait.kids[place:])
                    return
                kid.asked = False

    def stays_down(self, kid: Kid) -> None:
        if kid.spec.restart is Restart.temporary:
            self.kids.remove(kid)
        waiting = {one for wait in self.waits for one in wait.kids}
        others = [one for one in self.kids if one.spec.significant and (one.state == "up" or one in waiting)]
        if kid.spec.significant and (self.spec.auto_shutdown == "any_significant" or not others):
            self.end(Shutdown("auto_shutdown"))

    def group(self, kid: Kid) -> list[Kid]:
        if self.spec.strategy == "one_for_one":
            return [kid]
        return self.kids[0 if self.spec.strategy == "one_for_all" else self.kids.index(kid) :]

    def delay_s(self, kid: Kid) -> float:
        if self.spec.backoff is None:
            return 0.0
        ran_s = 0.0 if kid.started_s is None else self.world.now_s - kid.started_s
        kid.number = self.spec.backoff.next_restart_number(kid.number, ran_s)
        return self.spec.backoff.delay_s(kid.number, NO_RANDOMNESS)

    def tick(self) -> int:
        self.world.clock += 1
        return self.world.clock

    # What a caller may ask

    def stop_child(self, kid: Kid) -> None:
        kid.rerun = kid.asked = False
        for wait in list(self.waits):
            wait.kids = [one for one in wait.kids if one is not kid]
            if not wait.kids:
                self.waits.remove(wait)
        if kid.state == "up":
            self.stop(kid)

    def restart_child(self, kid: Kid) -> None:
        kid.asked = True
        if self.spec.strategy != "one_for_one" and self.waits:
            joined = [*self.waits[0].kids, kid]
            self.waits[0].kids = [one for one in self.kids if one in joined]
        elif not self.start(kid):
            kid.asked = False

    def zombie_ended(self, kid: Kid) -> None:
        kid.state, rerun, kid.rerun = "down", kid.rerun, False
        if not self.runs:
            return
        if kid.spec.restart is Restart.temporary:
            self.kids.remove(kid)
        elif rerun and not any(kid in wait.kids for wait in self.waits):
            self.run(Wait(self.world.now_s, self.tick(), [kid]))
