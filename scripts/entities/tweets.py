#!/usr/bin/env python3
"""Writes the 4,200 English tweets that come with VADER as {"text", "lang"}: `tweets.py vaderSentiment-3.3.2.tar.gz OUT`.

Hutto and Gilbert 2014, MIT (the tweets have their own terms). Users are `@anonymous` in it.
"""

import io
import json
import sys
import tarfile

with tarfile.open(sys.argv[1]) as package:
    inner = package.extractfile("vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz").read()
with tarfile.open(fileobj=io.BytesIO(inner)) as archive:
    lines = archive.extractfile("hutto_ICWSM_2014/tweets_GroundTruth.txt").read().decode("latin-1").splitlines()
with open(sys.argv[2], "w", encoding="utf-8") as out:
    for line in lines:
        fields = line.split("\t")
        if len(fields) == 3:
            out.write(json.dumps({"text": fields[2].strip(), "lang": "en"}, ensure_ascii=False) + "\n")
