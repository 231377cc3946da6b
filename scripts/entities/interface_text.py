#!/usr/bin/env python3
"""Writes sentences of software and helpdesks without anybody's name: what programs say to their users, in seven
languages, as text that `deskstream train entities --data` learns to leave alone.

    pip download --no-deps -d packages jupyterlab-language-pack-{de-de,es-es,fr-fr,it-it,nl-nl,pt-br}==4.5.post3 \\
        django-helpdesk==2.6.1 django==5.2.19
    pip download --no-deps --no-binary apache-superset -d packages apache-superset==6.1.0
    interface_text.py packages OUT.jsonl     # {"text", "lang"}; then teacher.py and only_clean.py

Licences: JupyterLab language packs BSD-3-Clause, django and django-helpdesk BSD-3-Clause, Apache Superset Apache-2.0.
"""

import ast
import gettext
import io
import json
import pathlib
import random
import re
import sys
import tarfile
import zipfile

LANGUAGES = ("en", "de", "es", "fr", "pt", "it", "nl")
MOST = 5000  # of a language
CATALOGUE = re.compile(r"/([a-z]{2})(?:[-_][A-Za-z]+)?/LC_MESSAGES/[^/]+\.(mo|po)$")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\{?[^{}]*\}\}?")


def files(folder):
    for path in sorted(pathlib.Path(folder).iterdir()):
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                for name in sorted(archive.namelist()):
                    if CATALOGUE.search("/" + name):
                        yield name, archive.read(name)
        elif path.name.endswith(".tar.gz"):
            with tarfile.open(path) as archive:
                for member in archive:
                    if CATALOGUE.search("/" + member.name):
                        yield member.name, archive.extractfile(member).read()


def of_po(text):
    """Pairs of a .po file, without plurals and what is marked as doubtful."""
    for block in text.split("\n\n"):
        if "#, fuzzy" in block or "msgid_plural" in block or "\n#~" in block:
            continue
        parts = re.search(r'^msgid ((?:".*"\n?)+)msgstr ((?:".*"\n?)+)', block, re.M)
        if parts:
            join = lambda part: "".join(ast.literal_eval(line) for line in part.strip().splitlines())
            yield join(parts[1]), join(parts[2])


def pairs(name, content):
    if name.endswith(".mo"):
        catalogue = gettext.GNUTranslations(io.BytesIO(content))._catalog
        for key, value in catalogue.items():
            if isinstance(key, str) and isinstance(value, str):
                yield key.split("\x04")[-1], value
    else:
        yield from of_po(content.decode("utf-8"))


def sentence(text, rng):
    text = re.sub(r"<[^>]*>|`|\*\*", "", text)
    text = PLACEHOLDER.sub(lambda _: str(rng.randrange(1000)), text)
    text = re.sub(r"[ \t]+", " ", text.replace("\\n", "\n")).strip()
    return text if 3 <= len(text.split()) <= 80 else None


def main():
    folder, out = sys.argv[1:3]
    rng = random.Random(11)
    found = {lang: {} for lang in LANGUAGES}
    for name, content in files(folder):
        lang = CATALOGUE.search("/" + name)[1]
        for english, translated in pairs(name, content):
            if lang in found and lang != "en" and translated != english and (text := sentence(translated, rng)):
                found[lang][text] = None
            # Catalogues of German are among the fullest: their keys are what there is in English.
            if lang == "de" and (text := sentence(english, rng)):
                found["en"][text] = None
    with open(out, "w", encoding="utf-8") as file:
        for lang, texts in found.items():
            texts = list(texts)
            rng.shuffle(texts)
            at = 0
            texts = texts[:MOST]
            while at < len(texts):
                count = rng.choice((1, 1, 2, 3))
                text = rng.choice((" ", "\n")).join(texts[at:at + count])
                at += count
                file.write(json.dumps({"text": text, "lang": lang}, ensure_ascii=False) + "\n")
        print({lang: len(texts) for lang, texts in found.items()}, file=sys.stderr)


main()
