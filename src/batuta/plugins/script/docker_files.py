"""Files into and out of a container as tar archives (06 §6.2, VOLUME). Synchronous; runs in threads."""

import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO


def pack_folders(folders: Sequence[Path], target: IO[bytes], *, writable: Path) -> None:
    """Folders under their absolute paths, to be unpacked at the root; any user may write into one of them.

    The daemon keeps the rights of a folder only when it is an entry with a name of its own.
    """
    with tarfile.open(fileobj=target, mode="w") as archive:
        for folder in folders:
            rights = _for_everybody if folder == writable else _owned_by_root
            archive.add(folder, arcname=str(folder).lstrip("/"), filter=rights)
    target.seek(0)


def unpack_directory(source: IO[bytes], root: Path) -> None:
    """Files of an archive whose names start with one folder, into `root`; nothing lands elsewhere.

    Links that lead out, devices and the like are left out.
    """
    source.seek(0)

    def kept(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        _, _, name = member.name.partition("/")
        is_plain = member.isreg() or member.isdir() or member.issym()
        if not name or not is_plain or ".." in name.split("/"):
            return None
        try:
            return tarfile.data_filter(member.replace(name=name, deep=False), path)
        except tarfile.FilterError:
            return None

    with tarfile.open(fileobj=source, mode="r") as archive:
        archive.extractall(root, filter=kept)  # noqa: S202 - `kept` lets nothing out of the root


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _for_everybody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mode |= 0o777 if member.isdir() else 0o666
    return _owned_by_root(member)
