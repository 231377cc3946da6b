//! German phrases.

use super::phrases::{CausePhrases, PhraseBook};
use super::{Cause, PiiKind};

pub(super) static BOOK: PhraseBook = PhraseBook {
    greetings: &["Hallo,", "[Guten Tag|Guten Morgen],", "Sehr geehrte Damen und Herren,", "Liebes Team,"],
    closings: &[
        "[Vielen Dank|Danke] im Voraus,",
        "[Mit freundlichen Grüßen|Viele Grüße|Beste Grüße],",
        "MfG",
    ],
    causes: &[
        CausePhrases {
            cause: Cause::Outage,
            subjects: &[
                "{product} [ist nicht erreichbar|ausgefallen]",
                "[Störung|Ausfall] bei {feature} seit {time}",
            ],
            openings: &[
                "Seit {time} [kommen wir nicht mehr|kommt niemand im Büro] in {product}, es erscheint nur {error}.",
                "{feature} [lädt nicht|ist komplett ausgefallen], [alle {count} Kollegen|das ganze Team] sind betroffen.",
            ],
            details: &[
                "Die Seite [bleibt leer|lädt endlos].",
                "[Mit dem Handy|Über ein anderes Netz] ist es dasselbe.",
                "Eure Statusseite zeigt [nichts an|alles grün].",
            ],
        },
        CausePhrases {
            cause: Cause::Performance,
            subjects: &[
                "{feature} [sehr langsam|extrem langsam] seit {day}",
                "Lange Ladezeiten in {product}",
            ],
            openings: &[
                "{feature} braucht [seit {day}|neuerdings] über {count} Sekunden zum Öffnen.",
                "Alles ist [furchtbar|spürbar] langsam geworden, [vor allem gegen {time}|auch mit {browser}].",
            ],
            details: &[
                "Letzte Woche ging es noch [sofort|schnell].",
                "[Cache leeren|Ein anderer Browser] hat nichts gebracht.",
                "Große Berichte brechen mit {error} ab.",
            ],
        },
        CausePhrases {
            cause: Cause::Login,
            subjects: &["[Anmeldung nicht möglich|Kann mich nicht einloggen]", "Konto gesperrt"],
            openings: &[
                "Ich kann mich [seit {day}|nicht mehr] bei {product} [anmelden|einloggen].",
                "Mein Konto wurde [gesperrt|nach einem falschen Passwort gesperrt] und die Mail zum Zurücksetzen kommt nicht an.",
            ],
            details: &[
                "Im Spam-Ordner [ist auch nichts|habe ich nachgesehen].",
                "Der Code aus der App wird [abgelehnt|nicht akzeptiert].",
                "Ich habe es {count} Mal versucht, auch mit {browser}.",
            ],
        },
        CausePhrases {
            cause: Cause::Bug,
            subjects: &["Fehler {error} in {feature}", "{feature} [stürzt ab|zeigt falsche Zahlen]"],
            openings: &[
                "In {feature} gibt es einen Fehler: beim Speichern erscheint {error}.",
                "Nach dem [letzten Update|Update von {day}] stimmen die Summen in {feature} nicht mehr, es fehlen {amount}.",
            ],
            details: &[
                "Das passiert [jedes Mal|etwa jedes dritte Mal].",
                "Eine Kollegin kann es [nachstellen|bestätigen].",
                "Danach sind die Eingaben [weg|verloren].",
            ],
        },
        CausePhrases {
            cause: Cause::Integration,
            subjects: &["[Schnittstelle|API] liefert {error}", "Webhooks kommen nicht [mehr an|an]"],
            openings: &[
                "Unsere Anbindung an eure [API|Schnittstelle] schlägt seit {day} mit {error} fehl.",
                "Die Webhooks kommen [doppelt|gar nicht|Stunden zu spät] an.",
            ],
            details: &[
                "Auf unserer Seite wurde nichts geändert.",
                "In der Testumgebung [klappt|funktioniert] es.",
                "Bitte prüft das Protokoll zu {order}.",
            ],
        },
        CausePhrases {
            cause: Cause::Billing,
            subjects: &["Rechnung {order} [falsch|doppelt]", "[Doppelte Abbuchung|Frage zur Rechnung]"],
            openings: &[
                "Mir wurden {amount} [doppelt abgebucht|zweimal berechnet], Rechnung {order}.",
                "Auf der Rechnung {order} steht der falsche [Betrag|Tarif], wir haben {plan}.",
            ],
            details: &[
                "Die Buchhaltung [kann das so nicht buchen|braucht eine Korrektur].",
                "Auch die [Anschrift|USt-IdNr.] ist veraltet.",
                "Bitte schickt eine [Gutschrift|korrigierte Rechnung].",
            ],
        },
        CausePhrases {
            cause: Cause::Refund,
            subjects: &[
                "Erstattung für {order} [fehlt|noch nicht da]",
                "[Wo bleibt mein Geld|Rückgabe] {item}",
            ],
            openings: &[
                "Ich habe die Ware ({item}) aus {order} zurückgeschickt und [warte noch auf|habe noch keine] Erstattung von {amount}.",
            ],
            details: &[
                "Laut Sendungsverfolgung ist das Paket [angekommen|zugestellt].",
                "Es kam nur ein Teil [zurück|an].",
            ],
        },
        CausePhrases {
            cause: Cause::Shipping,
            subjects: &["[Wo ist meine Bestellung|Lieferung {order} fehlt]", "Paket [verloren|hängt fest]"],
            openings: &[
                "Meine Bestellung {order} ({item}) sollte {day} kommen und ist [noch nicht da|nicht angekommen].",
                "Die Sendungsverfolgung zu {order} [bewegt sich nicht|steht still] seit {day}.",
            ],
            details: &[
                "Ich war den ganzen Tag zu Hause.",
                "Es ist ein [Geschenk|Geburtstagsgeschenk].",
                "Die Adresse [stimmt|ist richtig hinterlegt].",
            ],
        },
        CausePhrases {
            cause: Cause::Damaged,
            subjects: &["{item} [defekt|beschädigt] angekommen", "Falscher Artikel in {order}"],
            openings: &["Der Artikel ({item}) aus {order} kam [beschädigt|defekt|zerkratzt] an."],
            details: &[
                "Der Karton war [eingedrückt|nass].",
                "Fotos kann ich [schicken|nachreichen].",
                "Ich hätte lieber [Ersatz|eine neue Lieferung].",
            ],
        },
        CausePhrases {
            cause: Cause::PaymentDeclined,
            subjects: &["Zahlung [abgelehnt|fehlgeschlagen]", "Karte wird nicht angenommen"],
            openings: &[
                "Meine Karte wird beim Bezahlen von {order} [immer wieder|ständig] abgelehnt.",
                "Die Zahlung über {amount} ist [fehlgeschlagen|angeblich fehlgeschlagen], das Geld ist aber weg.",
            ],
            details: &[
                "Die Bank sagt, es sei alles [in Ordnung|freigegeben].",
                "Ich habe es {count} Mal versucht.",
            ],
        },
        CausePhrases {
            cause: Cause::Fraud,
            subjects: &[
                "[Unbekannte|Nicht autorisierte] Abbuchung über {amount}",
                "Mein Konto wurde gehackt",
            ],
            openings: &[
                "Auf meinem Konto ist eine Abbuchung über {amount}, die ich [nicht kenne|nicht veranlasst habe].",
                "Jemand hat sich um {time} in mein Konto eingeloggt, das war [nicht ich|ein Fremder].",
            ],
            details: &[
                "Bitte [sperren Sie die Karte|das Konto sofort sperren].",
                "Ich habe Anzeige [erstattet|bei der Polizei erstattet].",
            ],
        },
        CausePhrases {
            cause: Cause::Transfer,
            subjects: &["Überweisung über {amount} [nicht angekommen|verschwunden]", "Überweisung hängt"],
            openings: &[
                "Ich habe {day} {amount} überwiesen, das Geld ist [nie|noch nicht] angekommen.",
                "Meine Überweisung ist seit {day} in Prüfung.",
            ],
            details: &[
                "Der Verwendungszweck ist {order}.",
                "Es ist [unsere Miete|das Gehalt der Mitarbeiter].",
            ],
        },
        CausePhrases {
            cause: Cause::HowTo,
            subjects: &[
                "Wie [exportiere|teile] ich Daten aus {feature}?",
                "[Frage|Kurze Frage] zu {feature}",
            ],
            openings: &[
                "Wie kann ich {feature} für mehrere Benutzer [einrichten|freigeben]?",
                "Gibt es eine Anleitung [zu|für] {feature}?",
            ],
            details: &[
                "In der Hilfe habe ich nur die alte Version gefunden.",
                "Wir sind {count} Personen.",
                "Es eilt nicht.",
            ],
        },
        CausePhrases {
            cause: Cause::FeatureRequest,
            subjects: &["[Wunsch|Vorschlag]: {feature}", "Verbesserungsvorschlag"],
            openings: &[
                "Es wäre [toll|sehr praktisch], wenn man {feature} nach Schlagwort filtern könnte.",
                "Wir nutzen {product} täglich, es fehlt nur [ein Dunkelmodus|eine Rückgängig-Funktion].",
            ],
            details: &["Das würde uns {count} Minuten am Tag sparen.", "Gern teste ich eine Vorabversion."],
        },
        CausePhrases {
            cause: Cause::Cancellation,
            subjects: &["Kündigung {plan}", "Bitte Konto löschen"],
            openings: &[
                "Hiermit kündige ich mein Abo {plan} [zum nächsten Termin|mit sofortiger Wirkung].",
                "Bitte löschen Sie mein Konto und alle [Daten|gespeicherten Daten].",
            ],
            details: &[
                "Bitte bestätigen Sie das schriftlich.",
                "Die Schaltfläche zum Kündigen [geht nicht|führt zu {error}].",
            ],
        },
    ],
    details: &[
        "Wir haben den Tarif {plan}.",
        "Die Bestellnummer lautet {order}.",
        "Ich hatte schon {day} geschrieben, [ohne Antwort|und keine Antwort bekommen].",
        "Bei Rückfragen [melden Sie sich gern|bitte melden].",
        "Wir sind seit [Jahren|{count} Monaten] Kunde.",
        "Das war gegen {time} Uhr.",
        "Der Chat war leider [keine Hilfe|nicht besetzt].",
        "Browser: {browser}.",
        "Ansonsten sind wir mit {feature} [zufrieden|sehr zufrieden].",
    ],
    urgency: [
        &["Es eilt nicht.", "Hat keine Priorität."],
        &["Bitte [schauen Sie sich das an|um Prüfung] in den nächsten Tagen."],
        &[
            "Wir brauchen [das heute noch|bis morgen eine Lösung].",
            "Es ist dringend, [ein Kunde wartet|wir haben am Freitag Abgabe].",
        ],
        &[
            "Das ist ein Notfall, bei uns [steht alles still|geht nichts mehr].",
            "Bitte sofort bearbeiten, jede Minute kostet Geld.",
        ],
    ],
    mood: [
        &["Sonst bin ich mit {product} [sehr zufrieden|rundum zufrieden], danke!"],
        &["Bitte um [Prüfung|kurze Rückmeldung].", "Ich hoffe, das ist verständlich."],
        &["Ich mache mir [Sorgen|etwas Sorgen] um meine Daten."],
        &["Das ist [langsam|wirklich] ärgerlich, es ist schon das zweite Mal."],
        &[
            "Das ist eine [Frechheit|Unverschämtheit], ich bin stinksauer.",
            "So einen schlechten Service habe ich noch nie erlebt, ich [gehe zum Anwalt|will mein Geld zurück].",
        ],
    ],
    pii: &[
        (PiiKind::Email, &["Sie erreichen mich unter {}.", "Das Konto läuft auf {}."]),
        (PiiKind::Phone, &["Meine Telefonnummer: {}.", "Rufen Sie mich bitte an: {}."]),
        (PiiKind::PaymentCard, &["Bezahlt wurde mit der Kreditkarte {}.", "Die Kartennummer ist {}."]),
        (PiiKind::Iban, &["Bitte überweisen Sie auf IBAN {}.", "Meine IBAN lautet {}."]),
        (PiiKind::IpV4, &["Unsere IP-Adresse ist {}.", "Die Anfragen kommen von {}."]),
        (PiiKind::IpV6, &["Unsere IPv6-Adresse ist {} ."]),
        (PiiKind::CredentialUrl, &["Wir verbinden uns mit {} ."]),
        (PiiKind::ApiKey, &["Der verwendete API-Schlüssel: {} ."]),
        (PiiKind::DateOfBirth, &["Mein Geburtsdatum ist {}.", "Ich bin geboren am {}."]),
        (PiiKind::Passport, &["Meine Reisepassnummer ist {}.", "Reisepass Nr. {}."]),
    ],
    items: &["Kopfhörer", "Laufschuhe", "Kaffeemaschine", "Rucksack", "Winterjacke", "Staubsauger"],
    features: &[
        "das Dashboard",
        "die Berichte",
        "der Posteingang",
        "die Kasse",
        "der Export",
        "die App",
        "die Suche",
    ],
    days: &["am Montag", "am Dienstag", "gestern", "letzte Woche", "am 14."],
    steps_heading: "Schritte zum Nachstellen:",
    steps: &[
        "Anmelden und {feature} öffnen.",
        "[Speichern|Exportieren] drücken.",
        "Warten, bis {error} erscheint.",
        "Seite in {browser} neu laden.",
    ],
    log_heading: "Aus unserem Protokoll:",
    quote_heading: "Am Montag schrieb {}:",
    quotes: &[
        "Vielen Dank für Ihre Anfrage {order}.",
        "Wir bedauern die Unannehmlichkeiten und haben das Team informiert.",
        "Bitte leeren Sie den Cache und melden Sie sich neu an.",
    ],
};
