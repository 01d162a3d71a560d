"""What a warden and a zygote decide about memory and forks."""

from __future__ import annotations

import pytest

from actorflow_supervisors.forkable import Footprint, why_import_bars_forks, why_not_forked
from actorflow_supervisors.memory_backstop import backstop_bytes
from actorflow_supervisors.warden_memory import IDLE_INTERVAL_S, INTERVAL_S, next_interval_s

MIB = 1 << 20


@pytest.mark.parametrize(
    ("last_s", "has_quota", "moved", "next_s"),
    [
        (INTERVAL_S, True, False, INTERVAL_S),
        (IDLE_INTERVAL_S, True, False, INTERVAL_S),
        (IDLE_INTERVAL_S, False, True, INTERVAL_S),
        (0.1, False, False, 0.2),
        (IDLE_INTERVAL_S, False, False, IDLE_INTERVAL_S),
    ],
)
def test_what_has_a_quota_or_moves_is_sampled_often(last_s: float, has_quota: bool, moved: bool, next_s: float) -> None:
    assert next_interval_s(last_s, has_quota=has_quota, moved=moved) == pytest.approx(next_s)


@pytest.mark.parametrize(
    ("quota", "data", "anonymous", "expected"),
    [
        (100 * MIB, 30 * MIB, 30 * MIB, 150 * MIB),
        (100 * MIB, 80 * MIB, 30 * MIB, 200 * MIB),  # 50 MiB of stacks and arenas that nobody touched
        (100 * MIB, 30 * MIB, 40 * MIB, 150 * MIB),
    ],
)
def test_the_backstop_is_one_and_a_half_quotas_above_what_was_never_touched(
    quota: int, data: int, anonymous: int, expected: int
) -> None:
    assert backstop_bytes(quota, data, anonymous) == expected


@pytest.mark.parametrize(
    ("threads", "opened", "children", "can_mark", "words"),
    [
        (1, [], 0, True, ""),
        (2, [], 0, True, "importing it started 1 thread, and"),
        (3, ["5 (/tmp/x)"], 1, False, "importing it started 2 threads, and"),
        (1, ["5 (/tmp/x)", "6 (socket:[7])"], 0, True, "importing it opened 5 (/tmp/x), 6 (socket:[7])"),
        (1, [], 1, True, "importing it started a process"),
        (1, [], 0, False, "cannot be marked"),
    ],
)
def test_only_what_can_live_on_in_a_copy_is_forked(
    threads: int, opened: list[str], children: int, can_mark: bool, words: str
) -> None:
    reason = why_not_forked(threads=threads, opened=opened, children=children, can_mark=can_mark)

    assert words in reason
    assert bool(reason) is bool(words)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (Footprint(3, frozenset({"0 (tty)", "4 (log)"}), 1), ""),
        (Footprint(5, frozenset({"0 (tty)"}), 1), "importing it started 2 threads"),
        (Footprint(3, frozenset({"0 (tty)", "4 (log)", "5 (/tmp/x)"}), 1), "importing it opened 5 (/tmp/x), which"),
        (Footprint(3, frozenset({"0 (tty)"}), 2), "importing it started a process"),
        (Footprint(2, frozenset({"0 (tty)"}), 0), ""),
    ],
)
def test_what_was_there_before_an_import_is_not_its_doing(after: Footprint, words: str) -> None:
    before = Footprint(3, frozenset({"0 (tty)", "4 (log)"}), 1)

    reason = why_import_bars_forks(before, after)

    assert reason.startswith(words)
    assert bool(reason) is bool(words)
