"""Puts the reports of one run side by side, as a table and as JSON.

    table.py FOLDER NAME MODE TYPES.toml

FOLDER holds ours.json and theirs.json (types as the product maps them), ours.every.json and theirs.every.json (every
label counts, see every-label.toml) and presidio.speed.json.
"""

import json
import re
import sys
import tomllib

# Kinds that only a tagger finds; all others have a form or a checksum.
NAMES = {"PERSON", "ORGANIZATION", "LOCATION", "ADDRESS", "POSTAL_CODE"}


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def figures(ratios):
    return f"{ratios['precision']:.3f} {ratios['recall']:.3f} {ratios['f2']:.3f}"


def supported(types, names):
    """What Presidio can report, in our terms."""
    key = lambda name: re.sub(r"[^A-Z0-9]", "", name.upper())
    ours = {key(theirs): mapped for theirs, mapped in types["types"].items()}
    neutral = {key(name) for name in types["neutral"]}
    return {ours.get(key(name), name) for name in names if key(name) not in neutral}


def together(rows):
    """One row of several: counts are the ratios times what they are ratios of."""
    labels, marks = sum(r["labelled"] for r in rows), sum(r["predicted"] for r in rows)
    found = sum(r["overlap"]["recall"] * r["labelled"] for r in rows)
    right = sum(r["overlap"]["precision"] * r["predicted"] for r in rows)
    p, r = (right / marks if marks else 1.0), (found / labels if labels else 1.0)
    f2 = 5 * p * r / (4 * p + r) if p + r else 0.0
    return {"labelled": labels, "predicted": marks, "overlap": {"precision": p, "recall": r, "f2": f2}}


def main():
    folder, name, mode, map_path = sys.argv[1:5]
    part = lambda who, kind="": load(f"{folder}/{who}{kind}.json")
    ours, theirs, every = part("ours"), part("theirs"), (part("ours", ".every"), part("theirs", ".every"))
    speed = load(f"{folder}/presidio.speed.json")
    with open(map_path, "rb") as file:
        both = supported(tomllib.load(file), speed["supported"])
    behind = []

    def row(label, labels, a, b, judged=True):
        better = ""
        if a and b and judged:
            better = "ours" if a["f2"] > b["f2"] else "even" if a["f2"] == b["f2"] else "Presidio"
            if better == "Presidio":
                behind.append(label)
        left, right = (figures(x) if x else "-" for x in (a, b))
        print(f"{label:32}{labels:>7}  {left:18}   {right:18}  {better}")

    print(f"\n== {name}: {ours['overall']['records']} texts, Presidio with {mode}, one core each")
    print(f"{'':39}  {'ours':^18}   {'Presidio':^18}")
    print(f"{'overlap by type':32}{'labels':>7}  {'P     R     F2':18}   {'P     R     F2':18}  better F2")
    mine = {t["name"]: t for t in ours["types"]}
    his = {t["name"]: t for t in theirs["types"]}
    for kind in sorted(mine.keys() | his.keys(), key=lambda k: -(mine.get(k) or his[k])["labelled"]):
        a, b = mine.get(kind), his.get(kind)
        labels = (a or b)["labelled"]
        if labels == 0:
            continue
        # Presidio gets points for a place where an address was asked for, but has no such type.
        row(kind if kind in both else f"{kind} (ours only)", labels, a and a["overlap"], b and b["overlap"], kind in both)
    stray = lambda found: sum(t["predicted"] for t in found.values() if t["labelled"] == 0)
    print(f"{'marks of types without a label':32}{'':7}  {stray(mine):<18}   {stray(his):<18}")
    form = [(a, his[k]) for k, a in mine.items() if k in both - NAMES and k in his and a["labelled"]]
    if form:
        a, b = together([p[0] for p in form]), together([p[1] for p in form])
        row("with a form, of both", a["labelled"], a["overlap"], b["overlap"])
    print()
    labels = ours["overall"]["spans"]["labelled"]
    for label, get in [
        ("all, overlap", lambda r: r["overall"]["spans"]["overlap"]),
        ("all, exact", lambda r: r["overall"]["spans"]["exact"]),
        ("whatever the type, overlap", lambda r: r["overall"]["any_type"]),
        ("whatever the type, characters", lambda r: r["overall"]["characters"]),
    ]:
        row(label, labels, get(ours), get(theirs))
    labels = every[0]["overall"]["spans"]["labelled"]
    row("every label, overlap", labels, *(e["overall"]["any_type"] for e in every))
    row("every label, characters", labels, *(e["overall"]["characters"] for e in every))
    clean = lambda r: f"{r['overall']['clean_records_marked']} of {r['overall']['clean_records']}"
    print(f"{'texts without labels marked':39}  {clean(ours):18}   {clean(theirs):18}")
    ratio = ours["speed"]["texts_per_second"] / speed["texts_per_second"]
    for unit, key in [("texts/s", "texts_per_second"), ("MB/s", "megabytes_per_second")]:
        print(f"{unit:39}  {ours['speed'][key]:<18.4g}   {speed[key]:<18.4g}")
    print(f"{'times as fast':39}  {ratio:<18.0f}")
    print(f"{'Presidio is ahead in':39}  {', '.join(behind) or 'nothing'}")
    for report in (ours, theirs, *every):
        report.pop("mistakes", None)
    # The redactor's version stands in the scorer's report of Presidio too, but means nothing there.
    theirs.pop("redactor", None)
    result = {
        "data": name,
        "presidio_mode": mode,
        "ours": ours,
        "presidio": {**theirs, "speed": speed},
        "every_label": {"ours": every[0]["overall"], "presidio": every[1]["overall"]},
        "speed_ratio": ratio,
        "presidio_ahead_in": behind,
    }
    with open(f"{folder}/result.{mode}.json", "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1)


if __name__ == "__main__":
    main()
