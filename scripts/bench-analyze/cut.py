"""Cuts a labelled set into what is learnt and what is held out.

    cut.py DATA FIELD FOLDER [HELD_OUT]

Without HELD_OUT a tenth of each label is held out, always the same. Texts without the label are left out of both, and
held-out texts that are also learnt (but for case and blanks) are dropped.
"""

import hashlib
import json
import sys

data, field, folder = sys.argv[1:4]
held_out = sys.argv[4] if len(sys.argv) > 4 else ""


def load(path):
    with open(path, encoding="utf-8") as file:
        records = [json.loads(line) for line in file if line.strip()]
    return [r for r in records if r.get(field) not in (None, "")]


def key(record):
    return " ".join(record["text"].lower().split())


learnt = load(data)
if held_out:
    kept = load(held_out)
else:
    strata = {}
    for record in learnt:
        strata.setdefault(record[field], []).append(record)
    learnt, kept = [], []
    for label in sorted(strata, key=str):
        members = sorted(strata[label], key=lambda r: hashlib.sha256(key(r).encode()).hexdigest())
        tenth = (len(members) + 5) // 10
        kept += members[:tenth]
        learnt += members[tenth:]
known = {key(record) for record in learnt}
kept = [record for record in kept if key(record) not in known]
for name, records in (("train", learnt), ("held-out", kept)):
    with open(f"{folder}/{name}.jsonl", "w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
