"""What is particular to files on disk."""

import errno
import os

import pytest

from batuta.storage.contract import InvalidUriError
from batuta.storage.local import LocalStorage


async def test_files_are_plain_files_below_the_tenant(tmp_path):
    storage = LocalStorage(tmp_path / "root")
    await storage.put("main", "kestra:///a/b.txt", b"1", metadata={"m": "1"})
    assert (tmp_path / "root/main/a/b.txt").read_bytes() == b"1"
    assert (tmp_path / "root/main/a/b.txt.metadata").exists()
    assert storage.local_path("main", "kestra:///a/b.txt") == tmp_path / "root/main/a/b.txt"
    assert list((tmp_path / "root/.tmp").iterdir()) == []


async def test_links_that_lead_out_are_not_followed(tmp_path):
    storage = LocalStorage(tmp_path / "root")
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    inside = tmp_path / "root/main/dir"
    inside.mkdir(parents=True)
    (inside / "file").symlink_to(secret)
    (inside / "folder").symlink_to(tmp_path)
    for uri in ("kestra:///dir/file", "kestra:///dir/folder/secret.txt", "kestra:///dir/folder"):
        for work in (storage.read, storage.delete, storage.attributes, storage.exists):
            with pytest.raises(InvalidUriError):
                await work("main", uri)
        with pytest.raises(InvalidUriError):
            await storage.put("main", f"{uri}/x" if uri.endswith("folder") else uri, b"evil")
        with pytest.raises(InvalidUriError):
            await storage.move("main", uri, "kestra:///stolen")
    assert await storage.entries("main", "kestra:///dir") == []
    assert await storage.walk("main", "kestra:///dir") == []
    assert await storage.delete("main", "kestra:///dir")
    assert secret.read_text() == "secret"


async def test_a_tenant_next_to_another_with_its_name_is_not_inside(tmp_path):
    storage = LocalStorage(tmp_path / "root")
    (tmp_path / "root/main2").mkdir()
    (tmp_path / "root/main").mkdir()
    (tmp_path / "root/main/link").symlink_to(tmp_path / "root/main2")
    with pytest.raises(InvalidUriError):
        await storage.put("main", "kestra:///link/x", b"1")


async def test_a_file_to_be_moved_stays_when_its_place_is_taken(tmp_path):
    storage = LocalStorage(tmp_path / "root")
    await storage.create_directory("main", "kestra:///taken")
    source = tmp_path / "source"
    source.write_text("precious")
    with pytest.raises(IsADirectoryError):
        await storage.put("main", "kestra:///taken", source, move=True)
    assert source.read_text() == "precious"


async def test_replaced_files_keep_what_readers_hold(tmp_path):
    storage = LocalStorage(tmp_path / "root")
    await storage.put("main", "kestra:///x", b"old")
    path = storage.local_path("main", "kestra:///x")
    with path.open("rb") as reader:
        await storage.put("main", "kestra:///x", b"new")
        assert reader.read() == b"old"
    assert path.stat().st_mode & 0o777 == 0o644


async def test_a_file_of_another_file_system_is_copied(tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError(errno.EXDEV, "cross-device link", str(self))

    storage = LocalStorage(tmp_path / "root")
    source = tmp_path / "source"
    source.write_text("content")
    publish = storage._publish
    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.replace", refuse)
        temporary = storage._write_now(source, move=True)
    assert temporary.read_text() == "content"
    assert not source.exists()
    publish(temporary, tmp_path / "root/target", metadata=None)
    assert (tmp_path / "root/target").read_text() == "content"


async def test_a_source_that_cannot_be_read_leaves_no_rests(tmp_path):
    storage = LocalStorage(tmp_path / "root")
    with pytest.raises(FileNotFoundError):
        await storage.put("main", "kestra:///x", tmp_path / "missing")
    assert list((tmp_path / "root/.tmp").iterdir()) == []
    assert not await storage.exists("main", "kestra:///x")


async def test_the_root_of_a_new_tenant_is_empty(tmp_path):
    storage = LocalStorage(tmp_path / "root")
    assert await storage.entries("new", "kestra:///") == []
    assert (await storage.attributes("new", "kestra:///")).name == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_root_that_cannot_be_written_is_reported(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        LocalStorage(tmp_path / "root")
