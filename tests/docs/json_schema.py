"""The part of JSON Schema (draft 2020-12) that the schemas of the documents use."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}
KEYWORDS = {
    *("$schema", "$defs", "$ref", "title", "description", "type", "enum", "anyOf", "minimum"),
    *("properties", "required", "additionalProperties", "items"),
}


def faults(value: Any, schema: Schema) -> list[str]:
    """What is wrong with a value: 'where: what'; nothing if the schema allows it."""
    return list(_faults(value, schema, schema, "$"))


def unknown_keywords(schema: Any) -> set[str]:
    """The keywords of a schema that `faults` does not look at."""
    unknown = set(schema) - KEYWORDS
    parts = [*schema.get("$defs", {}).values(), *schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    parts += [part for part in (schema.get("items"), schema.get("additionalProperties")) if isinstance(part, dict)]
    return unknown.union(*map(unknown_keywords, parts))


def _faults(value: Any, schema: Schema, root: Schema, where: str) -> Iterator[str]:
    if "$ref" in schema:
        yield from _faults(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, where)
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    if "anyOf" in schema and all(any(_faults(value, part, root, where)) for part in schema["anyOf"]):
        yield f"{where}: {value!r} is nothing that it may be"
    if "type" in schema and not any(_is(value, kind) for kind in _listed(schema["type"])):
        yield f"{where}: {value!r} is no {schema['type']}"
    if "minimum" in schema and isinstance(value, int | float) and value < schema["minimum"]:
        yield f"{where}: {value!r} is below {schema['minimum']}"
    if isinstance(value, dict):
        yield from _faults_of_object(value, schema, root, where)
    if isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            yield from _faults(item, schema["items"], root, f"{where}[{place}]")


def _faults_of_object(value: dict[str, Any], schema: Schema, root: Schema, where: str) -> Iterator[str]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for key in schema.get("required", []):
        if key not in value:
            yield f"{where}: {key} is missing"
    for key, item in value.items():
        if key in known:
            yield from _faults(item, known[key], root, f"{where}.{key}")
        elif others is False:
            yield f"{where}: {key} is unknown"
        elif isinstance(others, dict):
            yield from _faults(item, others, root, f"{where}.{key}")


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return isinstance(value, TYPES[kind])


def _listed(kinds: str | list[str]) -> list[str]:
    return [kinds] if isinstance(kinds, str) else kinds
