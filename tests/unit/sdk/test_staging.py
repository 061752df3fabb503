"""Files into and out of a working directory (05 §6)."""

from pathlib import Path
from typing import Any

import pytest

from batuta.model.state import State
from batuta.sdk import RunContext
from batuta.sdk.files import NamespaceFiles
from batuta.sdk.staging import clock_text, inside, load_namespace_files, write_input_files
from tests.unit.server.worker.kit import Bench, task_of


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.gateway.files = {
        "company.team": {"a.sql": b"1", "d/b.sql": b"2", "d/c.txt": b"3"},
        "company.other": {"a.sql": b"9"},
    }
    return made


async def run(bench: Bench, body: Any) -> Any:
    bench.add(task_of("Body", body))
    return await bench.run({"type": "test.Body"})


async def loaded(bench: Bench, option: NamespaceFiles, before: dict[str, str] | None = None) -> Any:
    """The files of the working directory after loading, by name."""

    async def body(ctx: RunContext) -> dict[str, str]:
        for name, text in (before or {}).items():
            (ctx.workdir / name).write_text(text)
        await load_namespace_files(option, ctx)
        root = ctx.workdir
        return {
            path.relative_to(root).as_posix(): path.read_text()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    finished = await run(bench, body)
    return finished.outputs if finished.state is State.SUCCESS else finished.error


OWN = ["{{ flow.namespace }}"]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, {"a.sql": "1", "d/b.sql": "2", "d/c.txt": "3"}),
        ({"enabled": False}, {}),
        ({"include": ["**.sql"]}, {"a.sql": "1", "d/b.sql": "2"}),
        ({"exclude": ["d/**"]}, {"a.sql": "1"}),
        ({"include": ["b.sql"]}, {"d/b.sql": "2"}),
        ({"include": ["a.sql"], "namespaces": ["company.team", "company.other"]}, {"a.sql": "9"}),
        (
            {"include": ["a.sql"], "folder_per_namespace": True, "namespaces": ["company.other"]},
            {"company.other/a.sql": "9"},
        ),
    ],
)
async def test_namespace_files_are_chosen_by_globs_and_namespaces(
    bench: Bench, properties: dict[str, Any], expected: dict[str, str]
) -> None:
    option = NamespaceFiles.model_construct(**{"namespaces": OWN, **properties})
    assert await loaded(bench, option) == expected


@pytest.mark.parametrize(
    ("if_exists", "expected", "warnings"),
    [
        ("OVERWRITE", {"a.sql": "1"}, 0),
        ("IGNORE", {"a.sql": "old"}, 0),
        ("WARN", {"a.sql": "old"}, 1),
        ("FAIL", "The file `a.sql` already exists in the working directory", 0),
    ],
)
async def test_a_file_that_is_there_already_is_treated_as_asked(
    bench: Bench, if_exists: Any, expected: Any, warnings: int
) -> None:
    option = NamespaceFiles.model_construct(namespaces=OWN, include=["a.sql"], if_exists=if_exists)
    assert await loaded(bench, option, {"a.sql": "old"}) == expected
    assert len(bench.gateway.messages("WARN")) == warnings


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"../x": "1"}, "The path `../x` is not inside the working directory"),
        ({"/etc/x": "1"}, "The path `/etc/x` is not inside the working directory"),
        ({".": "1"}, "The path `.` is not inside the working directory"),
        (["x"], "Invalid files properties with type list"),
        ("[1]", "Invalid files properties with type list"),
        ("no json", "Invalid files properties, expected a JSON map"),
    ],
)
async def test_bad_input_files_are_refused(bench: Bench, files: Any, message: str) -> None:
    async def body(ctx: RunContext) -> None:
        await write_input_files(files, ctx, render=ctx.render)

    assert str((await run(bench, body)).error).startswith(message)


def test_a_link_does_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="is not inside"):
        inside(tmp_path / "in", "link/x")
    assert inside(tmp_path / "in", "a/../b") == tmp_path.resolve() / "in" / "b"


def test_a_length_of_time_is_shown_as_a_clock() -> None:
    assert clock_text(3_723_004_999) == "01:02:03.004"
