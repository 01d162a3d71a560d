"""A tree of real supervisor states under one clock and no loop, driven in step with the model."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from actorflow_supervisors import instructions as do
from actorflow_supervisors.child_record import Child
from actorflow_supervisors.child_spec import AutoShutdown, ChildSpec
from actorflow_supervisors.errors import IntensityExceeded
from actorflow_supervisors.exit_reason import INTENSITY, ExitReason, InitFailed, Shutdown
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.strategy import Strategy
from actorflow_supervisors.supervisor_state import Phase, Rules, SupervisorState
from actorflow_supervisors.tree import ChildState
from tests.supervisors.model import Branch, Kid, Leaf, Model, World
from tests.supervisors.simulated import nothing


class Node:
    """One supervisor over all its lives."""

    def __init__(self, spec: Branch, path: str, above: Node | None) -> None:
        self.spec = spec
        self.path = path
        self.above = above
        self.number = 0
        self.incarnations: dict[str, int] = {}
        self.state = self.new_state()
        self.alive: dict[str, int] = {}
        self.below = {
            child.id: Node(child, f"{path}/{child.id}", self) for child in spec.children if isinstance(child, Branch)
        }

    def new_state(self) -> SupervisorState:
        spec = self.spec
        rules = Rules(
            strategy=Strategy(spec.strategy),
            intensity=RestartIntensity(spec.max_restarts, spec.max_seconds),
            backoff=spec.backoff,
            auto_shutdown=AutoShutdown(spec.auto_shutdown),
        )
        children = [
            ChildSpec(id=child.id, run=nothing, restart=child.restart, significant=child.significant)
            for child in spec.children
        ]
        return SupervisorState(rules, children, Random(0), path=self.path, incarnations=self.incarnations)

    @property
    def runs(self) -> bool:
        return self.state.phase is Phase.running


@dataclass(frozen=True, slots=True)
class _Told:
    node: Node
    state: SupervisorState
    told: do.Input


class SimulatedTree:
    """Carries out all instructions at once; children behave as the sets `broken` and `hanging` say."""

    def __init__(self, spec: Branch) -> None:
        self.root = Node(spec, spec.id, None)
        self.broken: set[str] = set()
        self.hanging: set[str] = set()
        self.zombies: dict[str, tuple[Node, SupervisorState, int]] = {}
        self.log: list[str] = []
        self.now_s = 0.0
        self.timers: dict[tuple[str, int], tuple[float, int, Node]] = {}
        self._told: deque[_Told] = deque()
        self._last_request = 0
        self._clock = 0

    def begin(self) -> None:
        self._begin(self.root)
        self.settle()

    def tell(self, node: Node, told: do.Input) -> None:
        self._told.append(_Told(node, node.state, told))
        self.settle()

    def ask_stop(self, node: Node, child_id: str) -> None:
        self._last_request += 1
        self.tell(node, do.StopChildAsked(self._last_request, child_id))

    def ask_restart(self, node: Node, child_id: str) -> None:
        self._last_request += 1
        self.tell(node, do.RestartChildAsked(self._last_request, child_id))

    def leaf_ends(self, node: Node, child_id: str, reason: ExitReason) -> None:
        self.tell(node, do.ChildDown(child_id, node.alive.pop(child_id), reason))

    def zombie_ends(self, path: str, reason: ExitReason) -> None:
        node, state, number = self.zombies.pop(path)
        self._told.append(_Told(node, state, do.ChildDown(path.rsplit("/", 1)[1], number, reason)))
        self.settle()

    def next_timer_s(self) -> float | None:
        return min((due_s for due_s, _, _ in self.timers.values()), default=None)

    def fire_next_timer(self) -> None:
        key = min(self.timers, key=lambda key: self.timers[key][:2])
        _, _, node = self.timers.pop(key)
        self.tell(node, do.TimerFired(key[1]))

    def settle(self) -> None:
        while self._told:
            item = self._told.popleft()
            for instruction in item.state.handle(item.told, self.now_s):
                self._carry_out(item.node, item.state, instruction)

    def _begin(self, node: Node) -> None:
        node.state = node.new_state()
        self._told.append(_Told(node, node.state, do.Begin()))

    def _carry_out(self, node: Node, state: SupervisorState, instruction: do.Instruction) -> None:
        match instruction:
            case do.StartChild(spec=spec, incarnation=number):
                self._start(node, spec.id, number)
            case do.StopChild(child_id=child_id, incarnation=number):
                self._stop(node, state, child_id, number)
            case do.SetTimer(timer=timer, at_s=at_s):
                self._clock += 1
                self.timers[node.path, timer] = (at_s, self._clock, node)
            case do.CancelTimer(timer=timer):
                del self.timers[node.path, timer]
            case do.Booted():
                self._tell_above(node, lambda number: do.ChildUp(node.spec.id, number))
            case do.Exit():
                assert not any(key[0] == node.path for key in self.timers), "a supervisor that ends leaves no timer"
                reason = Shutdown(INTENSITY) if isinstance(instruction.error, IntensityExceeded) else instruction.reason
                if node.above is not None:
                    node.above.alive.pop(node.spec.id)
                self._tell_above(node, lambda number: do.ChildDown(node.spec.id, number, reason))
            case do.Emit() | do.Answer():
                pass

    def _tell_above(self, node: Node, told: Callable[[int], do.Input]) -> None:
        if node.above is not None:
            self._told.append(_Told(node.above, node.above.state, told(node.number)))

    def _start(self, node: Node, child_id: str, number: int) -> None:
        path = f"{node.path}/{child_id}"
        self.log.append(f"start {path}#{number}")
        assert child_id not in node.alive, f"{path} was started while its old incarnation was alive"
        if path in self.broken or path in self.zombies:
            self._told.append(_Told(node, node.state, do.ChildDown(child_id, number, InitFailed(ValueError()))))
            return
        node.alive[child_id] = number
        below = node.below.get(child_id)
        if below is None:
            self._told.append(_Told(node, node.state, do.ChildUp(child_id, number)))
        else:
            below.number = number
            self._begin(below)

    def _stop(self, node: Node, state: SupervisorState, child_id: str, number: int) -> None:
        path = f"{node.path}/{child_id}"
        self.log.append(f"stop {path}#{number}")
        below = node.below.get(child_id)
        if below is not None:
            self._told.append(_Told(below, below.state, do.StopAsked()))
            return
        assert node.alive.pop(child_id) == number
        if path in self.hanging:
            self.zombies[path] = (node, state, number)
            self._told.append(_Told(node, state, do.ChildStuck(child_id, number)))
        else:
            self._told.append(_Told(node, state, do.ChildDown(child_id, number, Shutdown())))


class Pair:
    """The real tree and the model side by side; each method does one thing to both."""

    def __init__(self, spec: Branch) -> None:
        self.spec = spec
        self.real = SimulatedTree(spec)
        self.world = World()
        self.ended: ExitReason | None = None
        self.model = self._new_model()
        self.leaves = _paths(spec, spec.id, Leaf)
        self.children = self.leaves + _paths(spec, spec.id, Branch)
        self.begin()

    def begin(self) -> None:
        """Start the root: at first, and again after it has ended."""
        self.ended = None
        self.model = self._new_model()
        self.real.begin()
        if not self.model.boot():
            self.ended = InitFailed(ValueError())

    def running_leaves(self) -> list[str]:
        models = self._models() if self.ended is None else []
        return [
            f"{model.path}/{kid.spec.id}"
            for model in models
            for kid in model.kids
            if kid.state == "up" and isinstance(kid.spec, Leaf)
        ]

    def leaf_ends(self, path: str, reason: ExitReason) -> None:
        """The running leaf at `path` ends by itself."""
        node, model, kid = self._find(path)
        assert model is not None
        assert kid is not None
        self.real.leaf_ends(node, kid.spec.id, reason)
        model.down(kid, reason)

    def set_broken(self, path: str, broken: bool) -> None:
        for paths in (self.real.broken, self.world.broken):
            (paths.add if broken else paths.discard)(path)

    def set_hanging(self, path: str, hanging: bool) -> None:
        for paths in (self.real.hanging, self.world.hanging):
            (paths.add if hanging else paths.discard)(path)

    def zombie_ends(self, path: str, reason: ExitReason) -> None:
        """The abandoned incarnation at `path` ends at last."""
        model, kid = self.world.zombies.pop(path)
        self.real.zombie_ends(path, reason)
        model.zombie_ended(kid)

    def stop_child(self, path: str) -> None:
        node, model, kid = self._find(path)
        if model is not None:
            self.real.ask_stop(node, path.rsplit("/", 1)[1])
            if kid is not None:
                model.stop_child(kid)

    def restart_child(self, path: str) -> None:
        node, model, kid = self._find(path)
        if model is not None:
            self.real.ask_restart(node, path.rsplit("/", 1)[1])
            if kid is not None and kid.state == "down" and not any(kid in wait.kids for wait in model.waits):
                model.restart_child(kid)

    def stop_root(self) -> None:
        self.real.tell(self.real.root, do.StopAsked())
        if self.ended is None:
            self.model.end(Shutdown())

    def advance(self, seconds: float) -> None:
        until_s = self.real.now_s + seconds
        while (due_s := self.real.next_timer_s()) is not None and due_s <= until_s:
            self.real.now_s = self.world.now_s = due_s
            self.real.fire_next_timer()
            waits = [(wait.due_s, wait.order, model, wait) for model in self._models() for wait in model.waits]
            assert waits, "the real tree has a timer that the model lacks"
            _, _, model, wait = min(waits, key=lambda item: item[:2])
            assert wait.due_s == due_s
            model.waits.remove(wait)
            model.run(wait)
        self.real.now_s = self.world.now_s = until_s

    def check(self) -> None:
        """Both did the same to their children in the same order, and stand the same."""
        assert self.real.log == self.world.log
        self.real.log.clear()
        self.world.log.clear()
        assert (self.ended is None) == self.real.root.runs
        if self.ended is None:
            self._check(self.real.root, self.model)
        else:
            assert not self.real.timers
            assert not _all_alive(self.real.root)

    def _check(self, node: Node, model: Model) -> None:
        waiting = {kid.spec.id for wait in model.waits for kid in wait.kids}
        expected = {kid.spec.id: _shown(kid, kid.spec.id in waiting) for kid in model.kids}
        assert {child.id: _real_state(node.state, child) for child in node.state.children.values()} == expected
        assert sorted(wait.due_s for wait in model.waits) == sorted(
            due_s for (path, _), (due_s, _, _) in self.real.timers.items() if path == node.path
        )
        for kid in model.kids:
            if kid.below is not None and kid.state == "up":
                self._check(node.below[kid.spec.id], kid.below)

    def _new_model(self) -> Model:
        return Model(self.spec, self.spec.id, self.world, self._root_ended)

    def _root_ended(self, reason: ExitReason) -> None:
        self.ended = reason

    def _models(self) -> list[Model]:
        found: list[Model] = []
        rest = [self.model]
        while rest:
            model = rest.pop()
            found.append(model)
            rest += [kid.below for kid in model.kids if kid.below is not None and kid.state == "up"]
        return found

    def _find(self, path: str) -> tuple[Node, Model | None, Kid | None]:
        """The supervisor above `path` in both worlds; no model if it does not run, no kid if it is forgotten."""
        names = path.split("/")[1:]
        node, model = self.real.root, None if self.ended is not None else self.model
        for name in names[:-1]:
            node = node.below[name]
            above = None if model is None else next((kid for kid in model.kids if kid.spec.id == name), None)
            model = above.below if above is not None and above.state == "up" else None
        kids = [] if model is None else [kid for kid in model.kids if kid.spec.id == names[-1]]
        return node, model, kids[0] if kids else None


def _paths(spec: Branch, path: str, kind: type[Leaf | Branch]) -> list[str]:
    found: list[str] = []
    for child in spec.children:
        if isinstance(child, kind):
            found.append(f"{path}/{child.id}")
        if isinstance(child, Branch):
            found += _paths(child, f"{path}/{child.id}", kind)
    return found


def _all_alive(node: Node) -> list[str]:
    return [*node.alive, *(name for below in node.below.values() for name in _all_alive(below))]


def _shown(kid: Kid, waiting: bool) -> str:
    return "waiting" if kid.state == "down" and waiting else kid.state


def _real_state(state: SupervisorState, child: Child) -> str:
    return {
        ChildState.running: "up",
        ChildState.stopped: "down",
        ChildState.backoff: "waiting",
        ChildState.abandoned: "zombie",
    }[state.shown_state(child)]
