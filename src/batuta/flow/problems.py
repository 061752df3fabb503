"""Collects what is wrong with a source, each with its place in the text."""

from difflib import get_close_matches

from batuta.flow.yaml import MapNode, Path, Tree, json_pointer, path_text
from batuta.model.problem import Problem, Severity


class Problems:
    """A list of problems of one document."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.found: list[Problem] = []
        self.errors = 0

    def error(self, code: str, message: str, path: Path, *, suggestion: str | None = None) -> None:
        """A problem with the value at `path`, or with what should stand there."""
        self.errors += 1
        self._add(code, message, path, suggestion=suggestion)

    def unknown_key(self, message: str, path: Path, *, suggestion: str | None = None) -> None:
        """A problem with the key that `path` ends with."""
        self.errors += 1
        self._add("unknown-property", message, path, suggestion=suggestion)

    def warning(
        self, code: str, message: str, path: Path, *, suggestion: str | None = None
    ) -> None:
        self._add(code, message, path, severity=Severity.WARNING, suggestion=suggestion)

    def deprecated(self, message: str, path: Path) -> None:
        self._add("deprecated", message, path, severity=Severity.DEPRECATION)

    def info(self, code: str, message: str, path: Path) -> None:
        self._add(code, message, path, severity=Severity.INFO)

    def in_order(self) -> tuple[Problem, ...]:
        """Sorted by their places in the source (01 §1.7)."""
        return tuple(
            sorted(self.found, key=lambda problem: (problem.line or 0, problem.column or 0))
        )

    def raw(self, path: Path) -> str | None:
        """The text of an unquoted scalar as written."""
        node = self._tree.node(path)
        return None if node is None else node.raw

    def is_written(self, path: Path) -> bool:
        """Whether the author wrote something at this path (it may come from plugin defaults)."""
        return self._tree.node(path) is not None

    def _add(
        self,
        code: str,
        message: str,
        path: Path,
        *,
        severity: Severity = Severity.ERROR,
        suggestion: str | None = None,
    ) -> None:
        line, column = self._place(path, key=code in {"unknown-property", "deprecated"})
        self.found.append(
            Problem(
                code=code,
                message=message,
                severity=severity,
                path=path_text(path),
                pointer=json_pointer(path),
                line=line,
                column=column,
                suggestion=suggestion,
            )
        )

    def _place(self, path: Path, *, key: bool) -> tuple[int, int]:
        if key:
            return self._tree.key_position(path)
        node = self._tree.node(path)
        if node is not None and not isinstance(node, MapNode):
            return node.line, node.column
        return self._tree.key_position(path) if node is not None else self._tree.position(path)


def nearest(word: str, words: object) -> str | None:
    """A hint at the known word that looks like `word`."""
    names = [str(each) for each in words] if hasattr(words, "__iter__") else []
    found = get_close_matches(word, names, n=1, cutoff=0.6)
    if not found:
        folded = {name.lower(): name for name in names}
        found = [folded[word.lower()]] if word.lower() in folded else []
    return f"did you mean `{found[0]}`?" if found else None
