"""A file is imported once, under one canonical name, the same as in workers; a broken one leaves no trace."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from actorflow.flows.faults import Code, FlowFaults
from actorflow.flows.load import (
    canonical_name,
    import_folder,
    imports_restored,
    load_dag,
    load_module,
    resolve_function,
    split_target,
)

FLOW = """
    from actorflow import dag, task

    @task
    def load(path: str) -> int:
        raise AssertionError("a body ran")

    @dag
    def pipeline(path: str) -> int:
        return load(path)
"""


@pytest.fixture(autouse=True)
def imports_as_before() -> Iterator[None]:
    with imports_restored():
        yield


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text))
    return file


def faults_of(target: object) -> FlowFaults:
    with pytest.raises(FlowFaults) as caught:
        load_dag(str(target))
    return caught.value


def code_of(target: object) -> Code:
    (fault,) = faults_of(target).faults
    return fault.code


def test_a_file_by_itself_is_imported_under_its_stem(tmp_path: Path) -> None:
    file = write(tmp_path / "lonely_flow.py", FLOW)

    dag = load_dag(str(file))

    assert dag.module == "lonely_flow"
    assert sys.modules["lonely_flow"].__file__ == str(file)
    assert dag.graph.steps[0].task == "lonely_flow:load"
    assert sys.path[0] == str(tmp_path)


def test_a_file_in_a_package_is_imported_under_its_dotted_name(tmp_path: Path) -> None:
    write(tmp_path / "afpack" / "__init__.py", "")
    write(tmp_path / "afpack" / "deep" / "__init__.py", "")
    write(tmp_path / "afpack" / "deep" / "names.py", "PATH = 'a.csv'")
    file = write(tmp_path / "afpack" / "deep" / "flow.py", "from .names import PATH\n" + textwrap.dedent(FLOW))

    dag = load_dag(str(file))

    assert dag.module == "afpack.deep.flow"
    assert dag.graph.steps[0].task == "afpack.deep.flow:load"
    assert sys.path[0] == str(tmp_path)


def test_the_init_file_of_a_package_is_the_package(tmp_path: Path) -> None:
    file = write(tmp_path / "afwhole" / "__init__.py", FLOW)

    assert load_dag(str(file)).module == "afwhole"


def test_a_file_may_import_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path / "af_neighbour.py", "ROWS = 3")
    file = write(tmp_path / "af_neighbourly.py", "from af_neighbour import ROWS\n" + textwrap.dedent(FLOW))

    assert load_dag(str(file)).name == "pipeline"


def test_a_file_loaded_twice_is_imported_once(tmp_path: Path) -> None:
    file = write(tmp_path / "once_flow.py", FLOW)

    assert load_dag(str(file)) is load_dag(f"{file}:pipeline")


def test_a_link_to_a_file_that_is_loaded_is_the_same_file(tmp_path: Path) -> None:
    file = write(tmp_path / "real" / "linked_flow.py", FLOW)
    link = tmp_path / "linked_flow.py"
    link.symlink_to(file)

    assert load_module(file) is load_module(link)


def test_a_relative_path_is_seen_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "sub" / "relative_flow.py", FLOW)
    monkeypatch.chdir(tmp_path)

    assert load_dag("sub/relative_flow.py").file == str(tmp_path / "sub" / "relative_flow.py")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("dag.py", ("dag.py", "")),
        ("dag.py:daily", ("dag.py", "daily")),
        ("a:b/dag.py:daily", ("a:b/dag.py", "daily")),
    ],
)
def test_a_target_is_a_path_and_perhaps_a_name(target: str, expected: tuple[str, str]) -> None:
    assert split_target(target) == expected


def test_a_path_with_a_colon_that_exists_is_no_name(tmp_path: Path) -> None:
    file = write(tmp_path / "a:b.py", "")

    assert split_target(str(file)) == (str(file), "")


def test_a_missing_file_offers_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path / "flow.py", FLOW)

    assert code_of(tmp_path / "flwo.py") is Code.no_such_file
    assert "did you mean `flow.py`?" in str(faults_of(tmp_path / "flwo.py"))
    assert "there is no folder" in str(faults_of(tmp_path / "none" / "flow.py"))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert code_of(tmp_path) is Code.not_a_module


@pytest.mark.parametrize("name", ["flow.txt", "flow.v2.py", "flow"])
def test_a_file_that_cannot_be_a_module_says_rename(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, FLOW)

    assert code_of(file) is Code.not_a_module
    assert "rename it to" in str(faults_of(file))


def test_a_syntax_error_is_told_with_its_line(tmp_path: Path) -> None:
    file = write(tmp_path / "af_syntax.py", "x = 1\ndef broken(:\n    pass\n")

    (fault,) = faults_of(file).faults

    assert fault.code is Code.syntax_error
    assert fault.location is not None
    assert (fault.location.file, fault.location.line) == (str(file), 2)


def test_a_syntax_error_in_an_imported_file_is_told_there(tmp_path: Path) -> None:
    helper = write(tmp_path / "af_syntax_helper.py", "def broken(:\n    pass\n")
    file = write(tmp_path / "af_syntax_user.py", "import af_syntax_helper\n")

    (fault,) = faults_of(file).faults

    assert fault.location is not None
    assert fault.location.file == str(helper)


def test_an_exception_at_import_is_told_with_the_users_own_lines(tmp_path: Path) -> None:
    helper = write(tmp_path / "af_rates.py", "import json\n\ndef rates():\n    return json.loads('{')\n")
    file = write(tmp_path / "af_rates_user.py", "from af_rates import rates\n\nRATES = rates()\n")

    (fault,) = faults_of(file).faults

    assert fault.code is Code.import_error
    assert "JSONDecodeError" in fault.message
    assert str(fault.location) == f"{helper}:4"
    assert [str(place.location) for place in fault.related] == [f"{file}:3"]


def test_a_missing_package_says_install_it(tmp_path: Path) -> None:
    file = write(tmp_path / "af_missing.py", "import no_such_package_of_anyone\n")

    assert "install `no_such_package_of_anyone`" in str(faults_of(file))


@pytest.mark.parametrize("line", ["raise SystemExit(3)", "import sys; sys.exit()", "raise BaseException('x')"])
def test_a_file_that_exits_at_import_does_not_end_the_program(tmp_path: Path, line: str) -> None:
    file = write(tmp_path / "af_exits.py", line)

    assert code_of(file) is Code.import_error


def test_a_failed_import_leaves_path_and_modules_as_they_were(tmp_path: Path) -> None:
    write(tmp_path / "af_half.py", "LOADED = True")
    file = write(tmp_path / "af_broken.py", "import af_half\nimport af_half.nothing\n")
    path, modules = list(sys.path), set(sys.modules)

    assert code_of(file) is Code.import_error

    assert sys.path == path
    assert {name for name in set(sys.modules) - modules if name.startswith("af_")} == set()


def test_a_mended_file_loads_after_it_failed(tmp_path: Path) -> None:
    file = write(tmp_path / "af_mended.py", "raise ValueError('not yet')")
    assert code_of(file) is Code.import_error

    write(file, FLOW)

    assert load_dag(str(file)).name == "pipeline"


@pytest.mark.parametrize("name", ["json.py", "test.py", "asyncio.py", "wave.py"])
def test_a_name_of_the_standard_library_says_rename(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, FLOW)

    assert code_of(file) is Code.module_clash
    assert "help: rename the file" in str(faults_of(file))


def test_a_package_named_like_the_standard_library_says_rename(tmp_path: Path) -> None:
    write(tmp_path / "json" / "__init__.py", "")
    file = write(tmp_path / "json" / "flow.py", FLOW)

    assert code_of(file) is Code.module_clash


@pytest.mark.parametrize("name", ["click.py", "pytest.py", "actorflow.py"])
def test_a_name_of_an_installed_package_says_rename(tmp_path: Path, name: str) -> None:
    assert code_of(write(tmp_path / name, FLOW)) is Code.module_clash


def test_two_files_of_one_name_in_one_program_clash(tmp_path: Path) -> None:
    first = write(tmp_path / "one" / "same_flow.py", FLOW)
    second = write(tmp_path / "two" / "same_flow.py", FLOW)

    load_dag(str(first))

    assert code_of(second) is Code.module_clash
    assert "which is imported already" in str(faults_of(second))


def test_a_file_without_a_dag_says_so(tmp_path: Path) -> None:
    assert code_of(write(tmp_path / "af_no_dag.py", "x = 1")) is Code.no_dag


TWO = """
    from actorflow import dag

    @dag
    def daily() -> None:
        return None

    @dag(name="every-week")
    def weekly() -> None:
        return None

    alias = daily
"""


def test_several_dags_are_named_with_their_lines(tmp_path: Path) -> None:
    file = write(tmp_path / "af_two.py", TWO)

    (fault,) = faults_of(file).faults

    assert fault.code is Code.several_dags
    assert "2 dags" in fault.message
    assert [place.text for place in fault.related] == ["`daily`", "`weekly`"]


@pytest.mark.parametrize("name", ["weekly", "every-week"])
def test_a_dag_is_chosen_by_its_function_or_its_name(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / "af_two_chosen.py", TWO)

    assert load_dag(f"{file}:{name}").name == "every-week"


def test_a_dag_that_is_not_there_offers_the_nearest(tmp_path: Path) -> None:
    file = write(tmp_path / "af_two_wrong.py", TWO)

    assert code_of(f"{file}:weakly") is Code.unknown_dag
    assert "did you mean `weekly`?" in str(faults_of(f"{file}:weakly"))


def test_an_imported_dag_counts_only_where_the_file_defines_none(tmp_path: Path) -> None:
    write(tmp_path / "af_source.py", FLOW)
    importing = write(tmp_path / "af_importing.py", "from af_source import pipeline\n")
    defining = write(tmp_path / "af_defining.py", "from af_source import pipeline as other\n" + textwrap.dedent(FLOW))

    assert load_dag(str(importing)).module == "af_source"
    assert load_dag(str(defining)).module == "af_defining"


def test_every_fault_of_a_file_is_told_at_once_also_of_tasks_that_the_dag_does_not_use(tmp_path: Path) -> None:
    file = write(
        tmp_path / "af_many_faults.py",
        """
        from actorflow import dag, task

        @task(timeout="soon")
        def unused() -> int:
            return 1

        @task(timeout="3s", executor="thread")
        def slow(number: int) -> str:
            return str(number)

        @dag
        def pipeline(top: int = "ten") -> int:
            slow("three")
            slow.options(after=["slwo"])(1)
            return slow(2)
        """,
    )

    assert [fault.code for fault in faults_of(file).faults] == [
        Code.bad_option,
        Code.bad_parameter_type,
        Code.type_mismatch,
        Code.type_mismatch,
        Code.timeout_not_enforced,
        Code.unknown_step,
        Code.timeout_not_enforced,
        Code.timeout_not_enforced,
    ]


@pytest.mark.parametrize(
    ("file", "name", "folder"),
    [
        ("flow.py", "flow", ""),
        ("afp/flow.py", "afp.flow", ""),
        ("afp/sub/flow.py", "afp.sub.flow", ""),
        ("afp/__init__.py", "afp", ""),
        ("plain/flow.py", "flow", "plain"),
    ],
)
def test_the_canonical_name_follows_the_packages(tmp_path: Path, file: str, name: str, folder: str) -> None:
    write(tmp_path / "afp" / "__init__.py", "")
    write(tmp_path / "afp" / "sub" / "__init__.py", "")

    found = canonical_name(tmp_path / file)

    assert (found.name, found.folder) == (name, str(tmp_path / folder) if folder else str(tmp_path))


@pytest.mark.parametrize(
    ("module", "file", "folder"),
    [
        ("flow", "/src/flow.py", "/src"),
        ("pkg.sub.flow", "/src/pkg/sub/flow.py", "/src"),
        ("pkg", "/src/pkg/__init__.py", "/src"),
        ("renamed", "/src/flow.py", "/src"),
    ],
)
def test_the_folder_to_import_from_is_found_from_module_and_file(module: str, file: str, folder: str) -> None:
    assert import_folder(module, file) == folder


WORKER = """
import json, sys
from actorflow.flows.load import resolve_function
refs, module, file = json.loads(sys.argv[1])
print(json.dumps([resolve_function(ref, module=module, file=file).__module__ for ref in refs]))
"""


def test_another_process_finds_each_task_under_the_same_name(tmp_path: Path) -> None:
    write(tmp_path / "afremote" / "__init__.py", "")
    write(
        tmp_path / "afremote" / "steps.py",
        """
        from actorflow import task

        @task
        async def save(rows: int) -> int:
            return rows
        """,
    )
    flow = "from .steps import save\n" + textwrap.dedent(FLOW).replace("return load(path)", "return save(load(path))")
    dag = load_dag(str(write(tmp_path / "afremote" / "flow.py", flow)))
    refs = [step.task for step in dag.graph.steps]

    done = subprocess.run(
        [sys.executable, "-c", WORKER, json.dumps([refs, dag.module, dag.file])],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )

    assert refs == ["afremote.flow:load", "afremote.steps:save"]
    assert json.loads(done.stdout) == ["afremote.flow", "afremote.steps"]


def test_a_task_that_is_not_there_is_a_fault_and_not_a_crash(tmp_path: Path) -> None:
    file = write(tmp_path / "af_resolve.py", FLOW)

    with pytest.raises(FlowFaults, match="has no task `gone`"):
        resolve_function("af_resolve:gone", module="af_resolve", file=str(file))
    with pytest.raises(FlowFaults, match="ModuleNotFoundError"):
        resolve_function("af_never_there:load", module="af_resolve", file=str(file))


def test_loading_a_file_of_plain_types_does_not_import_pydantic(tmp_path: Path) -> None:
    file = write(tmp_path / "af_plain.py", FLOW)
    code = f"import sys; from actorflow.flows.load import load_dag; load_dag({str(file)!r}); print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = set(done.stdout.split())
    assert "af_plain" in loaded
    assert loaded.isdisjoint({"pydantic", "rich", "trio", "asyncio", "psutil", "opentelemetry", "click"})
