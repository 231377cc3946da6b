#!/usr/bin/env python3
"""Keeps of what teacher.py has labelled the texts in which it sees nobody: `only_clean.py LABELLED.jsonl OUT.jsonl`."""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as lines, open(sys.argv[2], "w", encoding="utf-8") as out:
    for line in lines:
        row = json.loads(line)
        if not row["spans"]:
            out.write(json.dumps({k: row[k] for k in ("text", "lang", "spans")}, ensure_ascii=False) + "\n")
