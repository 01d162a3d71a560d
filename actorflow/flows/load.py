"""Load: a user's file becomes a module under one canonical name, the same here and in workers, and gives its dag."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import cast

from actorflow.flows.dag import Dag
from actorflow.flows.faults import Code, Fault, FlowFaults, Related, did_you_mean, refused
from actorflow.flows.function import function_at
from actorflow.flows.graph import Location
from actorflow.flows.places import is_users, shown_file, user_frames
from actorflow.flows.plan import KNOWN_EXECUTORS, ExecutorTraits, executor_faults
from actorflow.flows.redefined import redefined
from actorflow.flows.task import Task


@dataclass(frozen=True, slots=True)
class ModuleName:
    """Under which name a file is imported, and the folder that has to be on sys.path for it."""

    name: str
    folder: str


def load_dag(target: str, *, executors: Mapping[str, ExecutorTraits] = KNOWN_EXECUTORS) -> Dag[..., object]:
    """The dag of `path/dag.py` or `path/dag.py:name`, checked; no task body runs.

    Raises FlowFaults with everything that is wrong with the file, its tasks and the dag.
    """
    path, name = split_target(target)
    module = load_module(path)
    dag = _chosen(module, name, path)
    faults = redefined(os.path.abspath(path))
    faults += [fault for task in tasks_of(module) for fault in task.faults]
    faults += [*dag.traced.faults, *executor_faults(dag.traced.steps, executors=executors)]
    if faults:
        raise FlowFaults(faults) from dag.traced.error
    return dag


def split_target(target: str) -> tuple[str, str]:
    """(path, name) of `path/dag.py:name`; the name is "" where there is none."""
    path, colon, name = target.rpartition(":")
    if not colon or os.path.exists(target):
        return target, ""
    return path, name


def load_module(path: str | os.PathLike[str]) -> ModuleType:
    """The file as a module, imported once under its canonical name.

    Its folder (of a package: the folder above) stays first on sys.path, for imports that come later. Raises FlowFaults;
    then sys.path and sys.modules are as before.
    """
    file = _existing_file(os.fspath(path))
    where = canonical_name(file)
    loaded = sys.modules.get(where.name)
    if loaded is not None and _is_from(loaded, file):
        return loaded
    _refuse_clash(where, file)
    with _undone_on_failure(where.folder):
        try:
            module = importlib.import_module(where.name)
        except (KeyboardInterrupt, FlowFaults):
            raise
        except BaseException as exc:  # sys.exit at import is a fault of the file too
            raise FlowFaults([_import_fault(exc, file)]) from exc
        if not _is_from(module, file):
            raise FlowFaults([_clash(where.name, file, str(getattr(module, "__file__", "another module")))])
    return module


def canonical_name(file: str | os.PathLike[str]) -> ModuleName:
    """The dotted name where the file stands in a package (folders with `__init__.py`), else its stem."""
    path = Path(file)
    parts = [] if path.name == "__init__.py" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").exists() and folder != folder.parent:
        parts.insert(0, folder.name)
        folder = folder.parent
    return ModuleName(".".join(parts), str(folder))


def import_folder(module: str, file: str) -> str:
    """The folder that has to be on sys.path so that `module`, whose file is `file`, can be imported."""
    path = Path(file)
    parts = module.split(".")
    tail = (*parts, "__init__.py") if path.name == "__init__.py" else (*parts[:-1], f"{parts[-1]}.py")
    if path.parts[-len(tail) :] == tail:
        return str(Path(*path.parts[: -len(tail)]))
    return canonical_name(file).folder


def resolve_function(task_ref: str, *, module: str = "", file: str = "") -> Callable[..., object]:
    """The plain function behind "module:qualname", importing its module where needed; for workers.

    module, file: of the dag, as a run's site tells them; the dag's folder is put on sys.path first. Raises FlowFaults.
    """
    name, _, qualname = task_ref.partition(":")
    if file and module != "__main__":
        _put_first_on_path(import_folder(module, file) if module else canonical_name(file).folder)
    try:
        found = function_at(importlib.import_module(name), qualname)
    except (KeyboardInterrupt, FlowFaults):
        raise
    except BaseException as exc:  # as in load_module
        raise FlowFaults([_import_fault(exc, file or name)]) from exc
    if not callable(found):
        message = f"module `{name}` has no task `{qualname}` that could be imported"
        raise refused(Code.not_importable, message, None, "a task stands at the top level of its module")
    return found


def tasks_of(module: ModuleType) -> list[Task[..., object]]:
    """The tasks that a module holds and that were defined in it, each once."""
    tasks = [cast("Task[..., object]", value) for value in vars(module).values() if isinstance(value, Task)]
    return [task for task in {id(task): task for task in tasks}.values() if task.__module__ == module.__name__]


def dags_of(module: ModuleType) -> dict[str, Dag[..., object]]:
    """The dags of a module by the name they have there, each once; imported ones only where it defines none."""
    found: dict[int, tuple[str, Dag[..., object]]] = {}
    for name, value in vars(module).items():
        if isinstance(value, Dag):
            found.setdefault(id(cast("object", value)), (name, cast("Dag[..., object]", value)))
    own = {name: dag for name, dag in found.values() if dag.module == module.__name__}
    return own or dict(found.values())


@contextmanager
def imports_restored() -> Generator[None]:
    """Files may be loaded inside; afterwards sys.path and the user's own modules are as before."""
    path, modules = list(sys.path), set(sys.modules)
    try:
        yield
    finally:
        sys.path[:] = path
        _forget(set(sys.modules) - modules)


def _chosen(module: ModuleType, name: str, path: str) -> Dag[..., object]:
    dags = dags_of(module)
    place = Location(os.path.abspath(path), 1)
    if name:
        named = vars(module).get(name) or next((dag for dag in dags.values() if dag.name == name), None)
        if isinstance(named, Dag):
            return cast("Dag[..., object]", named)
        message = f"there is no dag `{name}` in {shown_file(place.file)}"
        raise refused(Code.unknown_dag, message, place, did_you_mean(name, dags) or "a dag is a function below `@dag`")
    if not dags:
        help = "put `@dag` above the function that calls the tasks"
        raise refused(Code.no_dag, f"there is no dag in {shown_file(place.file)}", place, help)
    if len(dags) > 1:
        related = tuple(Related(dag.location, f"`{key}`") for key, dag in dags.items())
        message = f"there are {len(dags)} dags in {shown_file(place.file)}: {', '.join(dags)}"
        help = f"name one: {path}:{next(iter(dags))}"
        raise FlowFaults([Fault(Code.several_dags, message, place, help, related)])
    return next(iter(dags.values()))


def _existing_file(path: str) -> str:
    file = os.path.abspath(path)
    if os.path.isdir(file):
        message = f"{path} is a folder, not a Python file"
        raise refused(Code.not_a_module, message, None, f"name the file in it: {os.path.join(path, 'dag.py')}")
    if not os.path.exists(file):
        raise refused(Code.no_such_file, f"there is no file {path}", None, _nearby(file))
    stem, suffix = os.path.splitext(os.path.basename(file))
    if suffix != ".py" or "." in stem:
        what = "is not called like a module" if suffix == ".py" else "does not end in .py"
        raise refused(
            Code.not_a_module,
            f"{path} {what}, so it cannot be imported",
            None,
            f"rename it to {stem.replace('.', '_')}.py",
        )
    return file


def _nearby(file: str) -> str:
    folder = os.path.dirname(file)
    if not os.path.isdir(folder):
        return f"there is no folder {shown_file(folder)} either"
    others = sorted(name for name in os.listdir(folder) if name.endswith(".py"))
    return did_you_mean(os.path.basename(file), others[:20])


def _refuse_clash(where: ModuleName, file: str) -> None:
    top = where.name.partition(".")[0]
    if top in sys.stdlib_module_names:
        raise FlowFaults([_clash(top, file, "a module of the standard library")])
    loaded = sys.modules.get(where.name)
    if loaded is not None:
        raise FlowFaults([_clash(where.name, file, _described(loaded))])
    others = [entry for entry in sys.path if os.path.abspath(entry) != where.folder]
    spec = PathFinder.find_spec(top, others)
    if spec is not None and spec.origin is not None and not _same_file(spec.origin, _top_file(where, file)):
        raise FlowFaults([_clash(top, file, spec.origin)])


def _top_file(where: ModuleName, file: str) -> str:
    top = where.name.partition(".")[0]
    return (
        file
        if top == where.name and not file.endswith("__init__.py")
        else os.path.join(where.folder, top, "__init__.py")
    )


def _clash(name: str, file: str, other: str) -> Fault:
    message = f"{shown_file(file)} would be imported as `{name}`, but that is the name of {other}"
    return Fault(Code.module_clash, message, Location(file, 1), "rename the file")


def _described(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    return f"{shown_file(file)}, which is imported already" if isinstance(file, str) else "a module of Python itself"


def _import_fault(exc: BaseException, file: str) -> Fault:
    if isinstance(exc, SyntaxError) and exc.filename:
        help = (exc.text or "").strip()
        return Fault(
            Code.syntax_error,
            f"Python cannot read the file: {exc.msg}",
            Location(exc.filename, exc.lineno or 1),
            "" if not help else f"near `{help}`",
        )
    frames = user_frames(exc)
    place = frames[-1][0] if frames else Location(file, 1)
    related = tuple(Related(location, source) for location, source in frames[:-1])
    help = "the file is imported before anything runs; mend this line, or move it into a task"
    if isinstance(exc, ModuleNotFoundError):
        help = f"install `{exc.name}` where actorflow runs, or mend the name"
    return Fault(Code.import_error, f"importing the file raised {type(exc).__name__}: {exc}", place, help, related)


@contextmanager
def _undone_on_failure(folder: str) -> Generator[None]:
    path, modules = list(sys.path), set(sys.modules)
    _put_first_on_path(folder)
    importlib.invalidate_caches()
    try:
        yield
    except BaseException:
        sys.path[:] = path
        _forget(set(sys.modules) - modules)
        raise


def _put_first_on_path(folder: str) -> None:
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _forget(names: set[str]) -> None:
    """Take modules of the user's own out again; those of libraries stay, some cannot be imported twice."""
    for name in names:
        file = getattr(sys.modules[name], "__file__", None)
        if isinstance(file, str) and is_users(file):
            del sys.modules[name]


def _is_from(module: ModuleType, file: str) -> bool:
    own = getattr(module, "__file__", None)
    return isinstance(own, str) and _same_file(own, file)


def _same_file(one: str, two: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(two)
