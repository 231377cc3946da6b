"""Puts the reports of one run side by side, as a table and as JSON."""

import json
import sys


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def figures(ratios):
    return f"{ratios['precision']:.3f} {ratios['recall']:.3f} {ratios['f2']:.3f}"


def main():
    folder, name, mode = sys.argv[1:4]
    ours, theirs = load(f"{folder}/ours.json"), load(f"{folder}/theirs.json")
    speed = load(f"{folder}/presidio.speed.json")
    print(f"\n{name}, Presidio with {mode}: {ours['overall']['records']} texts, one core each")
    print(f"{'':20}{'':>7}  {'ours':^18}   {'Presidio':^18}")
    print(f"{'overlap by type':20}{'labels':>7}  {'P     R     F2':18}   {'P     R     F2':18}")
    by_type = {t["name"]: t for t in theirs["types"]}
    rows = [(t["name"], t, by_type.pop(t["name"], None)) for t in ours["types"]]
    rows += [(t["name"], None, t) for t in by_type.values()]
    for kind, a, b in rows:
        labels = (a or b)["labelled"]
        left = figures(a["overlap"]) if a else "-"
        right = figures(b["overlap"]) if b else "-"
        print(f"{kind:20}{labels:>7}  {left:18}   {right:18}")
    for label, get in [
        ("all, overlap", lambda r: r["overall"]["spans"]["overlap"]),
        ("all, exact", lambda r: r["overall"]["spans"]["exact"]),
        ("characters", lambda r: r["overall"]["characters"]),
    ]:
        print(f"{label:27}  {figures(get(ours)):18}   {figures(get(theirs)):18}")
    ratio = ours["speed"]["texts_per_second"] / speed["texts_per_second"]
    for unit, key in [("texts/s", "texts_per_second"), ("MB/s", "megabytes_per_second")]:
        print(f"{unit:27}  {ours['speed'][key]:>18.4g}   {speed[key]:>18.4g}")
    print(f"{'times Presidio':27}  {ratio:>18.0f}")
    for report in (ours, theirs):
        report.pop("mistakes", None)
    result = {"data": name, "presidio_mode": mode, "ours": ours, "presidio": {**theirs, "speed": speed}, "speed_ratio": ratio}
    # The redactor's version stands in the scorer's report of Presidio too, but means nothing there.
    result["presidio"].pop("redactor", None)
    with open(f"{folder}/result.{mode}.json", "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1)


if __name__ == "__main__":
    main()
