"""The private directory of a task run (05 §6.1)."""

import shutil
from pathlib import Path


class Workdir:
    """Made on first use. Children of a WorkingDirectory share one."""

    def __init__(self, parent: Path, name: str) -> None:
        self._path = parent / name
        self.made = False

    def path(self) -> Path:
        if not self.made:
            self._path.mkdir(parents=True, mode=0o700)
            self._path = self._path.resolve()
            self.made = True
        return self._path

    def holds(self, path: Path) -> bool:
        """Whether `path`, symbolic links followed, lies inside."""
        return self.made and path.resolve().is_relative_to(self._path)

    def remove(self) -> None:
        """Remove it with all that it holds; what cannot be removed stays behind."""
        if self.made:
            shutil.rmtree(self._path, ignore_errors=True)
