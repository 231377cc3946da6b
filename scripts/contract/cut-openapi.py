#!/usr/bin/env python3
"""Cuts an OpenAPI description to some of its paths and what they refer to.

    cut-openapi.py api.intercom.io.yaml METHOD:PATH... > cut.yaml

Needs PyYAML. Examples are left out: the descriptions of a vendor are large, and a validator does not read them.
"""

import sys

import yaml


def refs(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from refs(value)


def bare(node, within_properties=False):
    """The node without examples; a property may be called `example`."""
    if isinstance(node, dict):
        return {
            key: bare(value, key == "properties")
            for key, value in node.items()
            if within_properties or key not in ("example", "examples", "x-readme")
        }
    if isinstance(node, list):
        return [bare(value) for value in node]
    return node


def main():
    source, wanted = sys.argv[1], [item.split(":", 1) for item in sys.argv[2:]]
    with open(source, encoding="utf-8") as file:
        whole = yaml.safe_load(file)
    paths = {}
    for method, path in wanted:
        paths.setdefault(path, {})[method] = bare(whole["paths"][path][method])
    kept, left = {}, list(refs(paths))
    while left:
        _, _, group, name = left.pop().split("/")
        if name not in kept.setdefault(group, {}):
            kept[group][name] = bare(whole["components"][group][name])
            left.extend(refs(kept[group][name]))
    kept["securitySchemes"] = whole["components"].get("securitySchemes", {})
    cut = {key: whole[key] for key in ("openapi", "info", "servers", "security") if key in whole}
    cut |= {"paths": paths, "components": kept}
    yaml.safe_dump(cut, sys.stdout, sort_keys=True, allow_unicode=True, width=110)


if __name__ == "__main__":
    main()
