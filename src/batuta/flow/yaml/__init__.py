"""Reading YAML as Kestra reads it, with the place of every key and value (01 §1.6.1)."""

from batuta.flow.yaml.documents import split_documents, split_loosely
from batuta.flow.yaml.reader import (
    YamlError,
    YamlReading,
    read_yaml,
    read_yaml_literally,
    try_read_yaml,
)
from batuta.flow.yaml.tree import (
    Entry,
    ListNode,
    MapNode,
    Node,
    Path,
    Tree,
    json_pointer,
    path_text,
    walk,
)

__all__ = [
    "Entry",
    "ListNode",
    "MapNode",
    "Node",
    "Path",
    "Tree",
    "YamlError",
    "YamlReading",
    "json_pointer",
    "path_text",
    "read_yaml",
    "read_yaml_literally",
    "split_documents",
    "split_loosely",
    "try_read_yaml",
    "walk",
]
