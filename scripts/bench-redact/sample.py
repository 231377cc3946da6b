"""Writes a small span-labelled set of our own: generated tickets, the same every time, in the format of
docs/redaction-eval.md. It is there so that the bench runs without outside data; it was written by the same people
as the detectors, so its figures say less than those on sets from elsewhere."""

import json
import random
import sys

FIRST = "Ana Bruno Carla Dmitri Elif Farid Greta Hugo Ines Jonas Keiko Lena Marco Nadia Omar Petra".split()
LAST = "Almeida Becker Castro Dubois Evans Fischer Garcia Haddad Ivanov Jensen Kowalski Laurent".split()
CITIES = "Lisbon Hamburg Lyon Seville Leeds Denver Porto Graz Utrecht Toronto".split()
COMPANIES = ["Northwind Traders", "Helios Energie GmbH", "Atlas Freight Ltd", "Banco Miramar", "Pinewood Labs Inc"]
CLEAN = [
    "Since version 4.12.1 the export button does nothing; the log says E1043 at 10:42:17.",
    "Order 100-2345-778 has not arrived, the tracking page shows step 3 of 5.",
    "The build 9f86d081884c7d659a2feaa0c55ad015 fails with exit code 137.",
    "Request 6f1c2a9e-5b7d-4c3e-8f10-2d4b6a8c0e12 took 30012 ms.",
    "Please cancel 12 of the 250 seats from next month on.",
    "The manual with ISBN 978-3-16-148410-0 is out of date.",
]


def luhn(digits):
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def iban(rng):
    account = "".join(rng.choice("0123456789") for _ in range(18))
    check = 98 - int(account + "131400") % 97
    return f"DE{check:02}{account}"


def card(rng):
    body = "4" + "".join(rng.choice("0123456789") for _ in range(14))
    number = body + luhn(body)
    return " ".join(number[i : i + 4] for i in range(0, 16, 4))


def values(rng):
    first, last = rng.choice(FIRST), rng.choice(LAST)
    return {
        "PERSON": f"{first} {last}",
        "EMAIL": f"{first}.{last}@{rng.choice(['example.com', 'example.org', 'mail.example.net'])}".lower(),
        "PHONE": f"+1 {rng.choice(['212', '415', '303'])} 555 01{rng.randrange(100):02}",
        "PAYMENT_CARD": card(rng),
        "IBAN": iban(rng),
        "US_SSN": f"{rng.randrange(100, 600)}-{rng.randrange(10, 99)}-{rng.randrange(1000, 9999)}",
        "IP_ADDRESS": f"203.0.113.{rng.randrange(1, 255)}",
        "LOCATION": rng.choice(CITIES),
        "ORGANIZATION": rng.choice(COMPANIES),
    }


TEMPLATES = [
    "Hello, this is {PERSON}. Please call me back at {PHONE} or write to {EMAIL}.",
    "I paid with card {PAYMENT_CARD} and was charged twice. Regards, {PERSON}, {ORGANIZATION}",
    "Please send the refund to IBAN {IBAN}.",
    "our office in {LOCATION} can't log in from {IP_ADDRESS} since this morning",
    "My social security number {US_SSN} is wrong in the form.\n\nThanks,\n{PERSON}",
    "{PERSON} from {ORGANIZATION} asked me to forward this to {EMAIL}.",
]


def fill(template, found):
    text, spans, rest = "", [], template
    while "{" in rest:
        before, _, rest = rest.partition("{")
        name, _, rest = rest.partition("}")
        text += before
        spans.append({"start": len(text), "end": len(text) + len(found[name]), "type": name})
        text += found[name]
    return text + rest, spans


def main():
    rng = random.Random(20260101)
    for number in range(600):
        if number % 3 == 2:
            text, spans = rng.choice(CLEAN), []
        else:
            text, spans = fill(rng.choice(TEMPLATES), values(rng))
        json.dump({"id": f"sample-{number}", "text": text, "spans": spans}, sys.stdout)
        print()


if __name__ == "__main__":
    main()
