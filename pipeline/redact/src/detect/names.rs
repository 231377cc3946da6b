//! The table of detectors: stable name, kind, and what a candidate has to pass.

use crate::kind::{Detector, DetectorInfo, PiiKind};

macro_rules! detectors {
    ($($id:ident = $name:literal, $kind:ident, $validator:literal;)*) => {
        $(pub(crate) const $id: Detector = {
            static INFO: DetectorInfo = DetectorInfo { name: $name, kind: PiiKind::$kind, validator: $validator };
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
    DRIVING_LICENCE = "driving_licence_number", DrivingLicence, "document number behind a licence word";
    ENTITY_PERSON = "entity_person", Person, "tagged by the entity model";
    ENTITY_ORGANIZATION = "entity_organization", Organization, "tagged by the entity model";
    ENTITY_LOCATION = "entity_location", Location, "tagged by the entity model";
    ENTITY_ADDRESS = "entity_address", Address, "tagged by the entity model";
    TICKET_NAME = "ticket_name", Person, "a name that the ticket itself reveals: requester, agent, e-mail address, signature";
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
