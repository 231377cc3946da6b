#!/usr/bin/env python3
"""Writes the word clusters that `deskstream train entities --clusters` reads.

    pip install spacy-lookups-data==1.0.5
    clusters.py OUT.txt

One cluster a line: its path from the root of Brown's tree in 0 and 1, a tab, its words in small letters, joined by
spaces. A word that is written in several ways has the cluster of its most frequent spelling. English only: the paths of
other languages' trees mean other things. Same package, same file. Licence: MIT.
"""

import gzip
import json
import pathlib
import sys

import spacy_lookups_data


def main():
    folder = pathlib.Path(spacy_lookups_data.__file__).parent / "data"
    read = lambda name: json.loads(gzip.decompress((folder / f"en_lexeme_{name}.json.gz").read_bytes()))
    clusters, probabilities = read("cluster"), read("prob")
    best = {}
    for word, cluster in clusters.items():
        if cluster and word.isalpha() and 2 <= len(word) <= 30:
            found = (probabilities.get(word, -99.0), word, cluster)
            small = word.lower()
            if small not in best or found > best[small]:
                best[small] = found
    members = {}
    for small, (_, _, cluster) in best.items():
        members.setdefault(bin(cluster)[2:][::-1], []).append(small)
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        for path in sorted(members):
            out.write(f"{path}\t{' '.join(sorted(members[path]))}\n")


main()
