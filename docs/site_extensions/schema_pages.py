"""`{schema-tables} schemas/study.json`: a JSON schema as tables of keys, one per kind of object in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

Schema = dict[str, Any]
DEFINITION = "#/$defs/"


def type_words(schema: Schema) -> str:
    """The type of a value in a few words, as in `list of comparison`, `number or null`."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(DEFINITION)
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(type_words(choice) for choice in schema["anyOf"])
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return " or ".join(_kind_words(kind, schema) for kind in kinds)


def _kind_words(kind: str, schema: Schema) -> str:
    if kind == "array":
        return f"list of {type_words(schema['items'])}" if "items" in schema else "list"
    values = schema.get("additionalProperties")
    if kind == "object" and isinstance(values, dict):
        return f"object of {type_words(values)}"
    return kind


def tables(schema: Schema) -> str:
    """The whole schema as Markdown: its keys, then those of every object that it defines."""
    parts = [schema["description"], _table(schema)]
    for name, part in schema["$defs"].items():
        if "properties" in part:
            parts += [f"**{name}**{': ' + part['description'] if 'description' in part else ''}", _table(part)]
        elif "description" in part:
            parts.append(f"**{name}**: {part['description']}")
    return "\n\n".join(parts)


def _table(schema: Schema) -> str:
    rows = ["| key | type | |", "|---|---|---|"]
    for key, part in schema["properties"].items():
        optional = "" if key in schema["required"] else " *Not always there.*"
        kind = type_words(part).replace("|", "\\|")
        rows.append(f"| `{key}` | {kind} | {part['description']}{optional} |")
    return "\n".join(rows)


class SchemaTables(SphinxDirective):
    """The tables of the schema in a file next to the document."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        relative, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        return self.parse_text_to_nodes(tables(json.loads(Path(path).read_text(encoding="utf-8"))))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("schema-tables", SchemaTables)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
