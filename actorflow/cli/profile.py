"""Profiles: where the same file runs differently. Read from actorflow.toml, or [tool.actorflow] of pyproject.toml.

    [profile.ci]
    executor = "process"        # the default of tasks that name none
    workers = 4
    store = "build/actorflow"   # relative to the file that names it
    trace = true                # to OpenTelemetry
    timeout = "2h"              # of the run as a whole; so are max_memory, default_memory and max_cpus
    grace = "30s"               # how long cancelled tasks may take to end
    fail_fast = true

    [profile.ci.tasks]
    census = "thread"           # the executor of one step, over what the dag says

    [profile.ci.recycle]        # when a worker process makes room for a new one
    max_tasks = 1000
    max_age = "1h"
    max_rss = "1GiB"

The file is looked for in the current folder and upwards; the first that has settings is the only one read. In a
folder with both, actorflow.toml wins.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard, cast

from actorflow.cli.complaint import Complaint, Place, Remark, refusal
from actorflow.cli.options import UNLIMITED, GivenLimits
from actorflow.cli.recycle import KEYS, recycling_of
from actorflow.flows.durations import seconds
from actorflow.flows.sizes import size_bytes

OWN_FILE = "actorflow.toml"
SHARED_FILE = "pyproject.toml"
DURATIONS = ("timeout", "grace")
SIZES = ("max_memory", "default_memory")
PROFILE_KEYS = (
    *("executor", "workers", "store", "trace", "tasks", "recycle"),
    *(*DURATIONS, *SIZES, "max_cpus", "fail_fast"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a profile sets; None and {} where it is silent.

    tasks: executor by step name. recycle: see `recycle`. limits, grace: as the options of those names take them.
    """

    name: str = ""
    file: str = ""
    executor: str | None = None
    workers: int | None = None
    store: str | None = None
    trace: bool | None = None
    tasks: Mapping[str, str] = field(default_factory=dict[str, str])
    recycle: Mapping[str, object] = field(default_factory=dict[str, object])
    limits: GivenLimits = UNLIMITED
    grace: str | None = None
    fail_fast: bool | None = None


NO_PROFILE = Profile()


def read_profile(name: str, folder: Path) -> Profile:
    """The profile of that name, as seen from `folder`. Raises Complaint with all that is wrong with it."""
    file, settings = _nearest_settings(folder)
    unknown = [key for key in settings if key != "profile"]
    if unknown:
        raise Complaint(
            *[_remark(file, f"unknown setting `{key}`", _nearest(key, ("profile",)), key=key) for key in unknown]
        )
    profiles = settings.get("profile", {})
    if not _is_table(profiles):
        raise Complaint(
            _remark(file, "`profile` must be a table", 'write [profile.ci] and below it executor = "process"')
        )
    if name not in profiles:
        raise Complaint(_remark(file, f"no profile `{name}`", _nearest(name, profiles)))
    return _profile(name, file, profiles[name])


def _nearest_settings(folder: Path) -> tuple[Path, dict[str, object]]:
    for place in (folder, *folder.parents):
        own, shared = place / OWN_FILE, place / SHARED_FILE
        if own.is_file():
            return own, _toml(own)
        if shared.is_file():
            settings = _section(_toml(shared))
            if settings is not None:
                return shared, settings
    raise refusal(
        "--profile needs settings, and there are none here or in a folder above",
        f'write {folder / OWN_FILE} with [profile.NAME] and below it executor = "process"',
    )


def _toml(file: Path) -> dict[str, object]:
    import tomllib

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Complaint(_remark(file, f"cannot be read as TOML: {error}")) from error


def _section(pyproject: dict[str, object]) -> dict[str, object] | None:
    tool = pyproject.get("tool")
    section = tool.get("actorflow") if _is_table(tool) else None
    return section if _is_table(section) else None


def _profile(name: str, file: Path, given: object) -> Profile:
    if not _is_table(given):
        raise Complaint(_remark(file, f"profile `{name}` must be a table", f"write [profile.{name}]"))
    remarks = list(_faults(name, file, given))
    if remarks:
        raise Complaint(*remarks)
    store = given.get("store")
    return Profile(
        name=name,
        file=str(file),
        executor=cast("str | None", given.get("executor")),
        workers=cast("int | None", given.get("workers")),
        store=None if store is None else str(file.parent / str(store)),
        trace=cast("bool | None", given.get("trace")),
        tasks=cast("dict[str, str]", given.get("tasks", {})),
        recycle=cast("dict[str, object]", given.get("recycle", {})),
        limits=GivenLimits(
            timeout=_text(given.get("timeout")),
            max_memory=_text(given.get("max_memory")),
            default_memory=_text(given.get("default_memory")),
            max_cpus=cast("float | None", given.get("max_cpus")),
        ),
        grace=_text(given.get("grace")),
        fail_fast=cast("bool | None", given.get("fail_fast")),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _faults(name: str, file: Path, given: dict[str, object]) -> Iterable[Remark]:
    for key, value in given.items():
        where = f"profile `{name}`: "
        match key:
            case "executor" | "store" if not isinstance(value, str):
                yield _remark(file, f"{where}`{key}` must be a string, not {value!r}", key=key)
            case "workers" if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                yield _remark(file, f"{where}`workers` must be a whole number from 1, not {value!r}", key=key)
            case "trace" | "fail_fast" if not isinstance(value, bool):
                yield _remark(file, f"{where}`{key}` must be true or false, not {value!r}", key=key)
            case "max_cpus" if not _is_positive(value):
                yield _remark(file, f"{where}`max_cpus` must be a number above 0, not {value!r}", key=key)
            case _ if key in DURATIONS and (problem := _problem_of(seconds, value, '"2h"', str)):
                yield _remark(file, f"{where}`{key}`: {problem}", key=key)
            case _ if key in SIZES and (problem := _problem_of(size_bytes, value, '"4GiB"', str, int)):
                yield _remark(file, f"{where}`{key}`: {problem}", key=key)
            case "tasks" if not _is_table(value) or not all(isinstance(one, str) for one in value.values()):
                yield _remark(
                    file, f"{where}`tasks` must map step names to executors", 'for example census = "thread"', key=key
                )
            case "recycle":
                problem = _recycling_problem(value)
                if problem:
                    yield _remark(file, f"{where}`recycle`: {problem}", key=key)
            case _ if key not in PROFILE_KEYS:
                yield _remark(file, f"{where}unknown key `{key}`", _nearest(key, PROFILE_KEYS), key=key)
            case _:
                pass


def _recycling_problem(value: object) -> str:
    """What is wrong with the table; "" for nothing."""
    if not _is_table(value):
        return f"must be a table with some of {', '.join(KEYS)}"
    try:
        recycling_of(value)
    except ValueError as error:
        return str(error)
    return ""


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _problem_of(read: Callable[[Any], object], value: object, example: str, *kinds: type) -> str:
    """What is wrong with a duration or a size; "" for nothing."""
    if not isinstance(value, kinds) or isinstance(value, bool):
        return f"must be a text with a unit, such as {example}, not {value!r}"
    try:
        read(value)
    except ValueError as error:
        return str(error)
    return ""


def _is_table(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _remark(file: Path, message: str, help: str = "", *, key: str = "") -> Remark:
    """A remark about `file`, at the first line that begins with `key`."""
    place = Place(file=str(file), line=_line_of(file, key) if key else 0)
    return Remark(message=message, place=place, help=help)


def _line_of(file: Path, key: str) -> int:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    return next((number for number, text in enumerate(lines, 1) if text.strip().lstrip("[").startswith(key)), 0)


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"known: {', '.join(names)}" if names else "there are none"
