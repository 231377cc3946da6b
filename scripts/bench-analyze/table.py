"""Fits the baseline and puts all side by side.

    table.py FOLDER FIELD

The baseline: TF-IDF of words and word pairs, linear SVM, scikit-learn's defaults otherwise.
"""

import json
import os
import sys

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

folder, field = sys.argv[1:3]


def load(name):
    with open(f"{folder}/{name}.jsonl", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    texts = [" ".join(filter(None, (r.get("subject"), r["text"]))) for r in records]
    return texts, [str(r[field]) for r in records]


texts, labels = load("train")
held_out, gold = load("held-out")
svm = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LinearSVC()).fit(texts, labels)
predicted = svm.predict(held_out)
rows = [("TF-IDF + linear SVM", accuracy_score(gold, predicted), f1_score(gold, predicted, average="macro"), None)]
for name, title in (("fast", "fast heads"), ("cascade", "with the encoder")):
    path = f"{folder}/{name}.json"
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            head = json.load(file)["heads"][0]["overall"]
        rows.append((title, head["accuracy"], head["macro_f1"], head["calibration_error"]))
print(f"\n{os.path.basename(folder)}: {len(texts)} texts learnt, {len(gold)} held out, {len(set(labels))} labels")
print(f"  {'':24}accuracy  macro-F1  calibration error")
for title, accuracy, f1, error in rows:
    print(f"  {title:24}{accuracy:8.3f}  {f1:8.3f}  {'' if error is None else f'{error:17.3f}'}")
