"""Pools route each message to one of their members."""

from __future__ import annotations

import anyio
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.errors import ActorNotRunning
from actorflow.actors.handler import handler
from actorflow.actors.router import Pool
from actorflow.actors.system import ActorSystem

pytestmark = pytest.mark.anyio


class Member(Actor):
    def __init__(self) -> None:
        self.open = anyio.Event()

    @handler
    async def who(self, key: object = None) -> str:
        return self.context.path

    @handler
    async def hang(self) -> None:
        await self.open.wait()


class Owner(Actor):
    @handler
    async def make(self) -> str:
        pool = await self.context.spawn_pool(Member, size=1, name="pool")
        return await pool.ask(Member.who)


async def test_round_robin_gives_each_member_its_turn() -> None:
    async with ActorSystem() as system:
        pool = await system.spawn_pool(Member, size=3, name="pool")

        assert [await pool.ask(Member.who) for _ in range(4)] == ["pool/0", "pool/1", "pool/2", "pool/0"]


async def test_least_loaded_avoids_members_that_are_at_work() -> None:
    async with ActorSystem() as system:
        pool = await system.spawn_pool(Member, size=3, name="pool", routing="least_loaded")
        await pool.tell(Member.hang)
        assert pool.try_tell(Member.hang)
        await anyio.wait_all_tasks_blocked()

        assert {await pool.ask(Member.who) for _ in range(3)} == {"pool/2"}


async def test_hash_gives_equal_first_arguments_to_the_same_member() -> None:
    async with ActorSystem() as system:
        pool = await system.spawn_pool(Member, size=4, name="pool", routing="hash")
        first = {key: await pool.ask(Member.who, key) for key in range(50)}

        assert {key: await pool.ask(Member.who, key=key) for key in range(50)} == first
        assert len(set(first.values())) == 4
        assert pool.at(7).path == first[7]


async def test_hash_moves_only_the_share_of_a_member_that_has_ended() -> None:
    async with ActorSystem() as system:
        pool = await system.spawn_pool(Member, size=4, name="pool", routing="hash")
        before = {key: pool.at(key).path for key in range(200)}
        await system.stop(pool.members[2])
        after = {key: pool.at(key).path for key in range(200)}

    assert all(after[key] == before[key] for key in before if before[key] != "pool/2")
    assert "pool/2" not in after.values()


async def test_members_that_have_ended_get_nothing() -> None:
    async with ActorSystem() as system:
        pool = await system.spawn_pool(Member, size=2, name="pool")
        await system.stop(pool.members[0])

        assert {await pool.ask(Member.who) for _ in range(4)} == {"pool/1"}


async def test_a_pool_without_members_left_says_so() -> None:
    async with ActorSystem() as system:
        pool: Pool[Member] = await system.spawn_pool(Member, size=1, name="pool")
        await system.stop(pool.host)

        assert system.tree() == ()
        with pytest.raises(ActorNotRunning, match="'pool' has no member left that runs"):
            await pool.ask(Member.who)


async def test_an_actor_can_have_a_pool_below_it() -> None:
    async with ActorSystem() as system:
        owner = await system.spawn(Owner, name="owner")

        assert await owner.ask(Owner.make) == "owner/pool/0"


async def test_a_pool_has_at_least_one_member() -> None:
    async with ActorSystem() as system:
        with pytest.raises(ValueError, match="a pool has 1 or more members, not 0"):
            await system.spawn_pool(Member, size=0)
