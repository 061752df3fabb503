"""Archives that go into and come out of containers."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from batuta.plugins.script.docker_files import pack_folders, unpack_directory


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as made:
        for member, content in members:
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return target


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, link, 0o644
    return member


def test_folders_keep_their_paths_and_one_is_open_to_everybody(tmp_path: Path) -> None:
    work, library = tmp_path / "work", tmp_path / "library"
    for folder in (work, library):
        folder.mkdir(mode=0o700)
        (folder / "f.txt").write_text(folder.name)
        (folder / "f.txt").chmod(0o600)
    target = io.BytesIO()
    pack_folders([work, library], target, writable=work)
    with tarfile.open(fileobj=target) as made:
        modes = {member.name: member.mode for member in made}
        owners = {(member.uid, member.gid) for member in made}
    prefix = str(tmp_path).lstrip("/")
    assert modes == {
        f"{prefix}/work": 0o777,
        f"{prefix}/work/f.txt": 0o666,
        f"{prefix}/library": 0o700,
        f"{prefix}/library/f.txt": 0o600,
    }
    assert owners == {(0, 0)}


def test_files_come_out_without_the_first_folder(tmp_path: Path) -> None:
    source = archive(
        (entry("work", tarfile.DIRTYPE), b""),
        (entry("work/a.txt"), b"1"),
        (entry("work/d/b.txt"), b"2"),
        (entry("work/same.txt", tarfile.SYMTYPE, "a.txt"), b""),
    )
    (tmp_path / "a.txt").write_text("old")
    unpack_directory(source, tmp_path)
    assert (tmp_path / "a.txt").read_text() == "1"
    assert (tmp_path / "d" / "b.txt").read_text() == "2"
    assert (tmp_path / "same.txt").read_text() == "1"


@pytest.mark.parametrize(
    "member",
    [
        entry("work/../../escaped.txt"),
        entry("/etc/../escaped.txt"),
        entry("work//tmp/escaped.txt"),
        entry("work/link", tarfile.SYMTYPE, "/etc/passwd"),
        entry("work/link", tarfile.SYMTYPE, "../../outside"),
        entry("work/device", tarfile.CHRTYPE),
        entry("work/pipe", tarfile.FIFOTYPE),
        entry("work/hard", tarfile.LNKTYPE, "/etc/passwd"),
    ],
)
def test_nothing_lands_outside_and_nothing_points_there(
    tmp_path: Path, member: tarfile.TarInfo
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    unpack_directory(archive((member, b""), (entry("work/fine.txt"), b"ok")), root)
    assert (root / "fine.txt").read_text() == "ok"
    assert [path for path in tmp_path.iterdir() if path != root] == []
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            assert not path.is_symlink()
            assert path.is_file()


def test_a_link_that_was_unpacked_cannot_be_written_through(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "link").symlink_to(outside)
    unpack_directory(archive((entry("work/link/evil.txt"), b"x")), root)
    assert list(outside.iterdir()) == []
