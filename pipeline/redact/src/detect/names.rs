//! The table of detectors: stable name, kind, and what a candidate has to pass.

use crate::finding::{Detector, DetectorInfo};
use crate::kind::PiiKind;

macro_rules! detectors {
    ($($id:ident = $name:literal, $kind:ident, $validator:literal;)*) => {
        $(pub(crate) const $id: Detector = {
            static INFO: DetectorInfo = DetectorInfo {
                name: $name, kind: PiiKind::$kind, validator: $validator, pattern: None,
            };
            Detector::new(&INFO)
        };)*
        #[cfg(test)]
        pub(crate) const ALL: &[Detector] = &[$($id),*];
    };
}

detectors! {
    EMAIL = "email", Email, "local part and domain with an alphabetic top-level domain";
    EMAIL_SPELLED = "email_spelled", Email, "`at` and `dot` spelled out between name and domain labels";
    PHONE_INTERNATIONAL = "phone_international", Phone, "calling code and national pattern of libphonenumber";
    PHONE_NATIONAL = "phone_national", Phone, "national pattern of libphonenumber for a configured region, with format or context";
    PHONE_SHAPE = "phone_shape", Phone, "unmistakable notation, digits possible but not assigned";
    PHONE_LABELLED = "phone_labelled", Phone, "7 to 15 digits directly behind a phone word";
    CARD = "card_luhn", PaymentCard, "Luhn checksum, brand prefix and length";
    US_SSN = "us_ssn", UsSsn, "3-2-4 digits in assigned ranges";
    IBAN = "iban_mod97", Iban, "ISO 7064 mod 97 and the country's account format";
    IPV4 = "ipv4", IpAddress, "four octets, no version context, no loopback, mask or broadcast";
    IPV6 = "ipv6", IpAddress, "RFC 4291 text form, in an allocated range or in full";
    URL_USERINFO = "url_userinfo", UrlCredentials, "user information with a password before the host";
    URL_TOKEN = "url_token", UrlCredentials, "query or fragment parameter that carries a secret";
    PRIVATE_KEY = "private_key", Secret, "PEM or PGP private key block";
    KEY_FORMAT = "key_format", Secret, "prefix, alphabet and length of a known issuer";
    JWT = "jwt", Secret, "three base64url segments, the first a JSON object";
    BEARER = "bearer_token", Secret, "authorization scheme followed by a token";
    PASSWORD = "password", Secret, "value assigned to a password word";
    HIGH_ENTROPY = "high_entropy", Secret, "random-looking value assigned to a key word";
    PIN = "pin", Secret, "3 to 8 digits assigned to a PIN or code word";
    BIRTH_DATE = "birth_date", DateOfBirth, "calendar date beside a birth word";
    PASSPORT = "passport_number", Passport, "document number behind a passport word";
    US_ITIN = "us_itin", UsItin, "9xx and a group in the ranges that the IRS has issued";
    US_EIN = "us_ein", UsEin, "assigned prefix and nine digits behind a word for it";
    BIC = "bic", Bic, "ISO 9362: bank, country, place, in capitals behind a word for it";
    US_ROUTING = "us_routing_aba", UsRoutingNumber, "ABA checksum and district behind a word for it";
    MAC = "mac_address", MacAddress, "six pairs of hex digits with one separator";
    UK_NHS = "uk_nhs", UkNhs, "mod 11 checksum behind a word for it";
    UK_NINO = "uk_nino", UkNino, "prefix as HMRC allows them, six digits, suffix A to D";
    DE_TAX_ID = "de_tax_id", DeTaxId, "ISO 7064 mod 11,10 and one repeated digit behind a word for it";
    DE_ID_CARD = "de_id_card", DeIdCard, "alphabet of serial numbers and ICAO 9303 check digit behind a word for it";
    FR_NIR = "fr_nir", FrNir, "sex, month and mod 97 key";
    ES_NIF = "es_nif", EsNif, "check letter by mod 23";
    IT_FISCAL_CODE = "it_fiscal_code", ItFiscalCode, "places of letters and digits, month, check letter";
    NL_BSN = "nl_bsn", NlBsn, "eleven test behind a word for it";
    PL_PESEL = "pl_pesel", PlPesel, "date and checksum behind a word for it";
    BR_CPF = "br_cpf", BrCpf, "two check digits, in its notation or behind a word for it";
    BR_CNPJ = "br_cnpj", BrCnpj, "two check digits, in its notation or behind a word for it";
    IN_AADHAAR = "in_aadhaar", InAadhaar, "Verhoeff checksum behind a word for it";
    IN_PAN = "in_pan", InPan, "letters and digits in their places, kind of holder";
    CA_SIN = "ca_sin", CaSin, "Luhn checksum behind a word for it";
    AU_TFN = "au_tfn", AuTfn, "weighted mod 11 behind a word for it";
    AU_MEDICARE = "au_medicare", AuMedicare, "check digit, in its notation or behind a word for it";
    MEDICAL_RECORD = "medical_record", MedicalRecord, "number directly behind a word for it";
    BANK_ACCOUNT = "bank_account", BankAccount, "6 to 20 digits directly behind a word for it";
    SORT_CODE = "sort_code", BankAccount, "six digits directly behind a word for it";
    VEHICLE_PLATE = "vehicle_plate", VehiclePlate, "capitals and digits directly behind a word for it";
    VIN = "vin", Vin, "ISO 3779 alphabet, with the check digit or behind a word for it";
    CRYPTO_WALLET = "crypto_wallet", CryptoWallet, "base58check, bech32 or EIP-55 checksum, or forty hex digits";
    GPS = "gps_coordinates", GpsCoordinates, "latitude and longitude in range with their decimals";
    ADDRESS = "postal_address", Address, "house number beside a street word, unit, postal code and town";
    POSTAL_CODE = "postal_code", PostalCode, "form of a postal code directly behind a word for it";
    SPOKEN_CARD = "card_spoken", PaymentCard, "digits spelled out: Luhn checksum, brand prefix and length";
    SPOKEN_SSN = "us_ssn_spoken", UsSsn, "digits spelled out: assigned ranges behind a word for it";
    SPOKEN_PHONE = "phone_spoken", Phone, "7 to 15 digits spelled out near a phone word, or valid internationally";
    CARD_WRAPPED = "card_wrapped", PaymentCard, "Luhn checksum and brand over a line break or unusual separators";
    EMAIL_LETTERS = "email_letters", Email, "address with a space behind each letter";
    PASSWORD_PROSE = "password_prose", Secret, "word that closes a sentence about a password";
    DRIVING_LICENCE = "driving_licence_number", DrivingLicence, "document number behind a licence word";
    ENTITY_PERSON = "entity_person", Person, "tagged by the entity model";
    ENTITY_ORGANIZATION = "entity_organization", Organization, "tagged by the entity model";
    ENTITY_LOCATION = "entity_location", Location, "tagged by the entity model";
    ENTITY_ADDRESS = "entity_address", Address, "tagged by the entity model";
    TICKET_NAME = "ticket_name", Person, "a name that the ticket itself reveals: requester, agent, e-mail address, signature";
    AGE = "age", Age, "1 to 3 digits beside a word of age";
    DATE_TIME = "date_time", DateTime, "form of a date, a month or weekday, or a year behind a preposition";
    TITLE = "title", Title, "form of address before a capital";
    NATIONALITY = "nationality", Nationality, "a word of the list";
    URL = "url", Url, "scheme or www before a host";
    DENY_LIST = "deny_list", Custom, "a value that the tenant has listed";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = ALL.iter().map(|detector| detector.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
