"""Random trees of supervisors against the model: whatever happens, both do the same in the same order."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.exit_reason import Crashed, ExitReason, Killed, NodeDown, Normal, Shutdown
from actorflow_supervisors.policy import Restart
from tests.supervisors.model import Branch, Leaf
from tests.supervisors.simulated_tree import Pair

STEPS_QUICK = 15_000
STEPS_HYPOTHESIS = 5_000
"""Of the quick ones; the others are drawn by the seeded driver, which is ten times as fast."""
STEPS_SLOW = 1_000_000
STEPS_PER_TREE = 50

CRASH = Crashed(ValueError())
RARE_ENDS: list[ExitReason] = [
    Normal(),
    Shutdown("own"),
    Killed("signal", signal=9),
    Killed("memory"),
    NodeDown("far"),
    Crashed(KeyboardInterrupt()),
]
ENDS: list[ExitReason] = [*RARE_ENDS, *[CRASH] * 20]
"""Weighted so that a tree lives long enough to get into trouble."""
TICKS_S = [0.0, 0.5, 1.0, 1.5, 3.0, 5.01, 100.0]
BACKOFFS = [None, Backoff(base_s=1.0, jitter=0.0), Backoff(base_s=0.5, jitter=0.0, immediate_first=False)]
RULES = {
    "leaf_ends": 40,
    "advance": 20,
    "break_or_mend": 8,
    "hang_or_hear": 12,
    "zombie_ends": 10,
    "stop_child": 5,
    "restart_child": 8,
    "stop_root": 1,
}
"""How often each thing happens under the seeded driver; hypothesis weighs by itself."""


def random_tree(rng: Random, name: str = "root", depth: int = 0) -> Branch:
    auto_shutdown = rng.choice(["never", "never", "any_significant", "all_significant"])

    def traits() -> tuple[Restart, bool]:
        restart = rng.choice([Restart.permanent, Restart.permanent, Restart.transient, Restart.temporary])
        significant = auto_shutdown != "never" and restart is not Restart.permanent and rng.random() < 0.5
        return restart, significant

    def child(number: int) -> Leaf | Branch:
        restart, significant = traits()
        if depth < 2 and rng.random() < 0.25:
            return replace(random_tree(rng, f"n{number}", depth + 1), restart=restart, significant=significant)
        return Leaf(f"w{number}", restart, significant)

    return Branch(
        id=name,
        restart=Restart.permanent,
        significant=False,
        strategy=rng.choice(["one_for_one", "one_for_all", "rest_for_one"]),
        auto_shutdown=auto_shutdown,
        max_restarts=rng.choice([0, 3, 10, 100, 100]),
        max_seconds=rng.choice([1.0, 5.0]),
        backoff=rng.choice(BACKOFFS),
        children=tuple(child(number) for number in range(rng.randint(1, 4))),
    )


class TreesAgainstTheModel(RuleBasedStateMachine):
    """Hypothesis chooses what happens, and shrinks what went wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.pair: Pair

    @initialize(seed=st.integers(0, 2**32))
    def plant(self, seed: int) -> None:
        self.pair = Pair(random_tree(Random(seed)))

    @rule(which=st.integers(0, 99), reason=st.sampled_from(ENDS))
    def leaf_ends(self, which: int, reason: ExitReason) -> None:
        leaves = self.pair.running_leaves()
        if leaves:
            self.pair.leaf_ends(leaves[which % len(leaves)], reason)

    @rule(seconds=st.sampled_from(TICKS_S))
    def advance(self, seconds: float) -> None:
        self.pair.advance(seconds)

    @rule(which=st.integers(0, 99), broken=st.booleans())
    def break_or_mend(self, which: int, broken: bool) -> None:
        leaves = self.pair.leaves
        if leaves:
            self.pair.set_broken(leaves[which % len(leaves)], broken)

    @rule(which=st.integers(0, 99), hanging=st.booleans())
    def hang_or_hear(self, which: int, hanging: bool) -> None:
        leaves = self.pair.leaves
        if leaves:
            self.pair.set_hanging(leaves[which % len(leaves)], hanging)

    @rule(which=st.integers(0, 99), reason=st.sampled_from([Normal(), CRASH]))
    def zombie_ends(self, which: int, reason: ExitReason) -> None:
        zombies = sorted(self.pair.world.zombies)
        if zombies:
            self.pair.zombie_ends(zombies[which % len(zombies)], reason)

    @rule(which=st.integers(0, 99))
    def stop_child(self, which: int) -> None:
        self.pair.stop_child(self.pair.children[which % len(self.pair.children)])

    @rule(which=st.integers(0, 99))
    def restart_child(self, which: int) -> None:
        self.pair.restart_child(self.pair.children[which % len(self.pair.children)])

    @rule()
    def stop_root(self) -> None:
        self.pair.stop_root()

    @invariant()
    def both_did_the_same(self) -> None:
        self.pair.check()
        if self.pair.ended is not None:
            self.pair.begin()
            self.pair.check()


def run_seeded(seed: int, steps: int) -> None:
    """`steps` things happen to random trees, a new tree every `STEPS_PER_TREE`."""
    rng = Random(seed)
    names, weights = list(RULES), list(RULES.values())
    machine = TreesAgainstTheModel()
    for step in range(steps):
        if step % STEPS_PER_TREE == 0:
            machine.plant(rng.getrandbits(32))
        name = rng.choices(names, weights)[0]
        which, flag = rng.randrange(100), rng.random() < 0.5
        match name:
            case "leaf_ends":
                machine.leaf_ends(which, rng.choice(ENDS))
            case "advance":
                machine.advance(rng.choice(TICKS_S))
            case "break_or_mend":
                machine.break_or_mend(which, flag)
            case "hang_or_hear":
                machine.hang_or_hear(which, flag)
            case "zombie_ends":
                machine.zombie_ends(which, rng.choice([Normal(), CRASH]))
            case "stop_child":
                machine.stop_child(which)
            case "restart_child":
                machine.restart_child(which)
            case _:
                machine.stop_root()
        machine.both_did_the_same()


def test_random_trees_do_as_the_model_does() -> None:
    run_state_machine_as_test(
        TreesAgainstTheModel,
        settings=settings(
            max_examples=STEPS_HYPOTHESIS // STEPS_PER_TREE,
            stateful_step_count=STEPS_PER_TREE,
            deadline=None,
            database=None,
        ),
    )


@pytest.mark.parametrize("seed", range(10))
def test_seeded_random_trees_do_as_the_model_does(seed: int) -> None:
    run_seeded(seed, (STEPS_QUICK - STEPS_HYPOTHESIS) // 10)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(100, 110))
def test_a_million_steps_of_random_trees_do_as_the_model_does(seed: int, scale: int) -> None:
    run_seeded(seed, scale * STEPS_SLOW // 10)
