"""Properties of tasks that work with files (05 §6)."""

from typing import Literal

from pydantic import Field

from batuta.sdk.definition import Definition
from batuta.sdk.property import Property


class NamespaceFiles(Definition):
    """Which namespace files are put in a task's directory (05 §6.5)."""

    enabled: Property[bool] = Field(default=True, description="Whether any are.")
    include: Property[list[str]] | None = Field(
        default=None, description="Globs of those to take; all when left out."
    )
    exclude: Property[list[str]] | None = Field(
        default=None, description="Globs of those to leave out."
    )
    namespaces: Property[list[str]] = Field(
        default=["{{flow.namespace}}"],
        description="Namespaces to take files from; later ones win.",
    )
    if_exists: Property[Literal["OVERWRITE", "FAIL", "WARN", "IGNORE"]] = Field(
        default="OVERWRITE", description="What to do when a file is there already."
    )
    folder_per_namespace: Property[bool] = Field(
        default=False, description="Whether each namespace gets a folder of its own."
    )
