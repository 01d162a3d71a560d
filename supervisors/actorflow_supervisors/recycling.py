"""Recycling: when a process has served enough and makes room for a new one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Recycling:
    """Between two tasks a process ends that has had `max_tasks`, is `max_age_s` old, or holds `max_rss_bytes`.

    A task: an attempt of a worker, or a message of a placed actor. None: never for that reason. A forked process costs
    about 10 ms, so the defaults cost nothing that could be measured; they bound what a library's leak adds up to in a
    run of days.
    """

    max_tasks: int | None = 10_000
    max_age_s: float | None = 3600.0
    max_rss_bytes: int | None = 1 << 30

    def __post_init__(self) -> None:
        for name in ("max_tasks", "max_age_s", "max_rss_bytes"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} is {value}; it has to be more than 0, or None for no limit")

    def __str__(self) -> str:
        """`after 10,000 tasks, after 3,600 s, above 1,024 MiB`; `never` without limits."""
        words = (
            "" if self.max_tasks is None else f"after {self.max_tasks:,} task{'s' * (self.max_tasks != 1)}",
            "" if self.max_age_s is None else f"after {self.max_age_s:,g} s",
            "" if self.max_rss_bytes is None else f"above {self.max_rss_bytes / (1 << 20):,g} MiB",
        )
        return ", ".join(filter(None, words)) or "never"

    def is_due(self, *, tasks: int, age_s: float, rss_bytes: int) -> bool:
        """Whether a process that has had so many tasks, is so old and holds so much memory makes room."""
        return (
            (self.max_tasks is not None and tasks >= self.max_tasks)
            or (self.max_age_s is not None and age_s >= self.max_age_s)
            or (self.max_rss_bytes is not None and rss_bytes > self.max_rss_bytes)
        )
