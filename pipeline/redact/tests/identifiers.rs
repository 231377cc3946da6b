//! Identifiers, vehicles, wallets and addresses that must be found, and how far each span reaches. The numbers are
//! published examples or made up with a valid checksum.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::check;
use deskstream_redact::PiiKind;

#[test]
fn american_ids() {
    check(
        PiiKind::UsItin,
        &[
            "⟦912-70-1234⟧",
            "my ITIN is ⟦912 70 1234⟧.",
            "individual taxpayer id number: ⟦999881234⟧",
            "TIN ⟦900-50-0001⟧",
        ],
    );
    check(
        PiiKind::UsEin,
        &[
            "EIN: ⟦12-3456789⟧",
            "employer identification number ⟦123456789⟧",
            "our federal tax id is ⟦47-1234567⟧",
        ],
    );
    check(
        PiiKind::UsRoutingNumber,
        &[
            "routing number ⟦021000021⟧",
            "ABA: ⟦011401533⟧",
            "Routing No. ⟦0910-0001-9⟧",
            "the RTN of my bank is ⟦121000248⟧",
        ],
    );
}

#[test]
fn bank_codes_and_accounts() {
    check(
        PiiKind::Bic,
        &[
            "BIC: ⟦DEUTDEFF⟧",
            "SWIFT code is ⟦BOFAUS3N⟧ thanks",
            "swift/bic ⟦BNPAFRPPXXX⟧",
            "código swift ⟦CAIXESBB⟧",
            "code swift : ⟦SOGEFRPP⟧",
            "BIC ⟦UNCRITMM⟧",
            "BIC: ⟦INGBNL2A⟧",
        ],
    );
    check(
        PiiKind::BankAccount,
        &[
            "account number: ⟦12345678⟧",
            "bank account ⟦000123456789⟧",
            "Kontonummer ⟦532013000⟧",
            "número de cuenta: ⟦2100 0418 45 0200051332⟧",
            "numéro de compte ⟦00123456789⟧",
            "número da conta ⟦12345-6⟧",
            "numero di conto ⟦000012345678⟧",
            "rekeningnummer ⟦41.71.64.300⟧",
            "sort code ⟦20-00-00⟧",
            "acct # ⟦9876543210⟧",
        ],
    );
}

#[test]
fn british_ids() {
    check(
        PiiKind::UkNhs,
        &["NHS number ⟦943 476 5919⟧", "NHS: ⟦9434765919⟧", "her NHS no. is ⟦401-023-2137⟧"],
    );
    check(
        PiiKind::UkNino,
        &[
            "⟦AB 12 34 56 C⟧",
            "NI number: ⟦AB123456C⟧",
            "national insurance number is ⟦JG 10 37 59 A⟧.",
            "nino ⟦jg103759a⟧",
            "my national insurance number is ⟦QQ 12 34 56 C⟧",
            "see ⟦AB123456C⟧ for me",
        ],
    );
}

#[test]
fn ids_of_the_european_union() {
    check(
        PiiKind::DeTaxId,
        &[
            "Steuer-ID: ⟦86 095 742 719⟧",
            "Meine Steueridentifikationsnummer lautet ⟦47036892816⟧",
            "IdNr. ⟦65929970489⟧",
        ],
    );
    check(
        PiiKind::DeIdCard,
        &["Personalausweis ⟦T220001293⟧", "Personalausweisnummer: ⟦L01X00T47⟧", "Ausweis Nr. ⟦T22000129⟧"],
    );
    check(
        PiiKind::FrNir,
        &[
            "⟦1 85 05 78 006 084 91⟧",
            "numéro de sécurité sociale : ⟦185057800608491⟧",
            "NIR ⟦2 55 08 14 168 025 38⟧",
            "n° sécu ⟦255081416802538⟧",
        ],
    );
    check(
        PiiKind::EsNif,
        &[
            "DNI ⟦12345678Z⟧",
            "mi NIE es ⟦X1234567L⟧",
            "NIF: ⟦12.345.678-Z⟧",
            "⟦12345678Z⟧",
            "⟦X-1234567-L⟧",
            "dni ⟦12345678-z⟧",
        ],
    );
    check(
        PiiKind::ItFiscalCode,
        &[
            "codice fiscale ⟦RSSMRA85T10A562S⟧",
            "⟦RSSMRA85T10A562S⟧",
            "C.F. ⟦VRDLCU80A01F205J⟧",
            "cod. fisc. ⟦rssmra85t10a562s⟧",
        ],
    );
    check(
        PiiKind::NlBsn,
        &["BSN ⟦111222333⟧", "mijn burgerservicenummer is ⟦1234.56.782⟧", "bsn-nummer: ⟦123456782⟧"],
    );
    check(PiiKind::PlPesel, &["PESEL: ⟦44051401359⟧", "pesel ⟦02070803628⟧", "numer PESEL to ⟦44051401359⟧"]);
}

#[test]
fn ids_of_other_countries() {
    check(PiiKind::BrCpf, &["⟦529.982.247-25⟧", "CPF ⟦52998224725⟧", "meu cpf é ⟦111.444.777-35⟧"]);
    check(PiiKind::BrCnpj, &["⟦11.222.333/0001-81⟧", "CNPJ: ⟦11222333000181⟧", "cnpj ⟦12.ABC.345/01DE-35⟧"]);
    check(PiiKind::InAadhaar, &["Aadhaar ⟦2341 2341 2346⟧", "my aadhar number is ⟦234123412346⟧"]);
    check(
        PiiKind::InPan,
        &["PAN card ⟦ABCPD1234E⟧", "⟦ABCPD1234E⟧", "permanent account number: ⟦abcpd1234e⟧"],
    );
    check(
        PiiKind::CaSin,
        &[
            "SIN ⟦130 692 544⟧",
            "social insurance number: ⟦130-692-544⟧",
            "numéro d'assurance sociale ⟦130692544⟧",
        ],
    );
    check(PiiKind::AuTfn, &["TFN ⟦123 456 782⟧", "tax file number: ⟦123456782⟧"]);
    check(
        PiiKind::AuMedicare,
        &["Medicare ⟦2123 45670 1⟧", "⟦2123 45670 1⟧", "medicare card no ⟦2123456701⟧"],
    );
}

#[test]
fn patients_and_vehicles() {
    check(
        PiiKind::MedicalRecord,
        &[
            "MRN: ⟦00123456⟧",
            "medical record number ⟦MR-448291⟧",
            "patient ID ⟦P1234567⟧",
            "Patientennummer ⟦4711234⟧",
            "historia clínica ⟦123456⟧",
            "numéro de patient : ⟦98765432⟧",
        ],
    );
    check(
        PiiKind::VehiclePlate,
        &[
            "license plate ⟦ABC-1234⟧",
            "Kennzeichen ⟦B-MW 1234⟧",
            "number plate: ⟦AB12 CDE⟧",
            "matrícula ⟦1234 BCD⟧",
            "plaque d'immatriculation ⟦AB-123-CD⟧",
            "targa ⟦AB123CD⟧",
            "kenteken ⟦12-ABC-3⟧",
            "placa ⟦ABC1D23⟧",
        ],
    );
    check(
        PiiKind::Vin,
        &[
            "⟦1M8GDM9AXKP042788⟧",
            "VIN ⟦WVWZZZ1JZXW000001⟧",
            "Fahrgestellnummer: ⟦WDB1240221J081498⟧",
            "vin: ⟦1hgcm82633a004352⟧",
        ],
    );
}

#[test]
fn wallets_and_networks() {
    check(
        PiiKind::CryptoWallet,
        &[
            "send to ⟦1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa⟧.",
            "⟦3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy⟧",
            "bitcoin:⟦bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0⟧",
            "⟦0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed⟧ on mainnet",
            "eth ⟦0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359⟧",
        ],
    );
    check(
        PiiKind::MacAddress,
        &[
            "mac ⟦00:1A:2B:3C:4D:5E⟧",
            "⟦00-1a-2b-3c-4d-5e⟧ is offline",
            "MAC address: ⟦001A2B3C4D5E⟧",
            "mac ⟦001a.2b3c.4d5e⟧",
        ],
    );
    check(
        PiiKind::GpsCoordinates,
        &[
            "I am at ⟦40.7128, -74.0060⟧",
            "⟦52.520008,13.404954⟧",
            "coordinates: ⟦-33.86, 151.21⟧",
            "GPS ⟦48.8584° N, 2.2945° E⟧",
            "Koordinaten ⟦52.52 / 13.40⟧",
        ],
    );
}

#[test]
fn addresses() {
    check(
        PiiKind::Address,
        &[
            "I live at ⟦123 Main Street, Springfield, IL 62704⟧.",
            "ship to ⟦350 5th Ave, New York, NY 10118⟧",
            "⟦1600 Pennsylvania Ave NW⟧ please",
            "⟦221B Baker Street, London NW1 6XE⟧",
            "⟦4848 Oak Ridge Rd. Apt. 12B⟧ is old",
            "⟦12 main street⟧ is where I live",
            "⟦742 Evergreen Terrace\nSpringfield, OR 97403⟧",
            "⟦PO Box 1234⟧ works, too",
            "⟦PSC 0413, Box 8144⟧",
            "wohne in der ⟦Hauptstraße 12a, 10115 Berlin⟧",
            "⟦Berliner Str. 5⟧ und ⟦Lindenweg 7⟧",
            "⟦Am Alten Markt 3, 50667 Köln⟧",
            "j'habite au ⟦12 rue de la Paix, 75002 Paris⟧",
            "⟦8 bis, avenue Victor Hugo⟧",
            "vivo en ⟦Calle Mayor 12, 28013 Madrid⟧",
            "⟦Avda. de América, 45⟧",
            "moro na ⟦Rua Augusta, 1500⟧",
            "abito in ⟦Via Roma 12, 20121 Milano⟧",
            "⟦Kerkstraat 12, 1017 GL Amsterdam⟧",
            "⟦Storgatan 14, 111 52 Stockholm⟧",
        ],
    );
    check(
        PiiKind::PostalCode,
        &[
            "zip code is ⟦53650⟧",
            "ZIP: ⟦90210-1234⟧",
            "postcode ⟦SW1A 1AA⟧",
            "PLZ ⟦10115⟧",
            "code postal : ⟦75002⟧",
            "código postal ⟦28013⟧",
            "CEP ⟦01310-100⟧",
            "postal code ⟦K1A 0B1⟧",
        ],
    );
}

#[test]
fn a_checksum_that_fails_or_a_word_that_lacks_is_no_finding() {
    check(
        PiiKind::UkNhs,
        &[
            "NHS number 943 476 591",
            "BSN 111222334",
            "PESEL 44051401358",
            "Aadhaar 2341 2341 2347 is wrong",
            "routing 021000022",
            "111222333",
            "44051401359",
            "234123412346",
            "the swift answer is REQUIRED",
            "BIC: DEUTXXFF",
            "529.982.247-26",
            "RSSMRA85T10A562T",
            "1M8GDM9A1KP042788",
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
            "zip file 12 and plate of food 7",
        ],
    );
}
