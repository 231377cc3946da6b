//! What can be found: the kinds of personal data.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A kind of personal data or secret. Its name is what the mask shows: `[EMAIL]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PiiKind {
    /// E-mail address, also spelled `name (at) host (dot) com`.
    Email,
    /// Telephone or fax number, national or international.
    Phone,
    /// Payment card number.
    PaymentCard,
    /// United States social security number.
    UsSsn,
    /// International bank account number.
    Iban,
    /// IPv4 or IPv6 address.
    IpAddress,
    /// URL that carries a password, token, key or signature.
    UrlCredentials,
    /// API key, token, password, PIN or private key.
    Secret,
    /// Date of birth.
    DateOfBirth,
    /// Passport number.
    Passport,
    /// Driving licence number.
    DrivingLicence,
    /// United States individual taxpayer identification number.
    UsItin,
    /// United States employer identification number.
    UsEin,
    /// Business identifier code of a bank (SWIFT).
    Bic,
    /// Routing number of a bank in the United States.
    UsRoutingNumber,
    /// Hardware address of a network interface.
    MacAddress,
    /// Number of the National Health Service.
    UkNhs,
    /// British national insurance number.
    UkNino,
    /// German tax identification number (Steuer-ID).
    DeTaxId,
    /// Number of a German identity card (Personalausweis).
    DeIdCard,
    /// French social security number (NIR).
    FrNir,
    /// Spanish identity number of a citizen (DNI, NIF) or a foreigner (NIE).
    EsNif,
    /// Italian tax code (codice fiscale).
    ItFiscalCode,
    /// Dutch citizen service number (BSN).
    NlBsn,
    /// Polish PESEL number.
    PlPesel,
    /// Brazilian taxpayer number of a person (CPF).
    BrCpf,
    /// Brazilian taxpayer number of a company (CNPJ).
    BrCnpj,
    /// Indian Aadhaar number.
    InAadhaar,
    /// Indian permanent account number.
    InPan,
    /// Canadian social insurance number.
    CaSin,
    /// Australian tax file number.
    AuTfn,
    /// Number of an Australian Medicare card.
    AuMedicare,
    /// Number of a patient or of a medical record.
    MedicalRecord,
    /// Number of a bank account, or its sort code.
    BankAccount,
    /// Licence plate of a vehicle.
    VehiclePlate,
    /// Vehicle identification number.
    Vin,
    /// Bitcoin or Ethereum address.
    CryptoWallet,
    /// Latitude and longitude.
    GpsCoordinates,
    /// Postal address, with street, post box or town.
    Address,
    /// Postal code by itself.
    PostalCode,
    /// Name of a natural person.
    Person,
    /// Name of a company, authority or club.
    Organization,
    /// City, region or country.
    Location,
    /// Age of a person. Off unless a policy asks for it, as the four that follow.
    Age,
    /// Date, day of the week, or year.
    DateTime,
    /// Form of address or academic title before a name.
    Title,
    /// Nationality or what is of a nation.
    Nationality,
    /// Web address.
    Url,
    /// What a tenant's own pattern or list describes.
    Custom,
}

impl PiiKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 49] = [
        Self::Email,
        Self::Phone,
        Self::PaymentCard,
        Self::UsSsn,
        Self::Iban,
        Self::IpAddress,
        Self::UrlCredentials,
        Self::Secret,
        Self::DateOfBirth,
        Self::Passport,
        Self::DrivingLicence,
        Self::UsItin,
        Self::UsEin,
        Self::Bic,
        Self::UsRoutingNumber,
        Self::MacAddress,
        Self::UkNhs,
        Self::UkNino,
        Self::DeTaxId,
        Self::DeIdCard,
        Self::FrNir,
        Self::EsNif,
        Self::ItFiscalCode,
        Self::NlBsn,
        Self::PlPesel,
        Self::BrCpf,
        Self::BrCnpj,
        Self::InAadhaar,
        Self::InPan,
        Self::CaSin,
        Self::AuTfn,
        Self::AuMedicare,
        Self::MedicalRecord,
        Self::BankAccount,
        Self::VehiclePlate,
        Self::Vin,
        Self::CryptoWallet,
        Self::GpsCoordinates,
        Self::Address,
        Self::PostalCode,
        Self::Person,
        Self::Organization,
        Self::Location,
        Self::Age,
        Self::DateTime,
        Self::Title,
        Self::Nationality,
        Self::Url,
        Self::Custom,
    ];

    /// The stable name, as it stands in masks, in configuration and in the audit trail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::Phone => "PHONE",
            Self::PaymentCard => "PAYMENT_CARD",
            Self::UsSsn => "US_SSN",
            Self::Iban => "IBAN",
            Self::IpAddress => "IP_ADDRESS",
            Self::UrlCredentials => "URL_CREDENTIALS",
            Self::Secret => "SECRET",
            Self::DateOfBirth => "DATE_OF_BIRTH",
            Self::Passport => "PASSPORT",
            Self::DrivingLicence => "DRIVING_LICENCE",
            Self::UsItin => "US_ITIN",
            Self::UsEin => "US_EIN",
            Self::Bic => "BIC",
            Self::UsRoutingNumber => "US_ROUTING_NUMBER",
            Self::MacAddress => "MAC_ADDRESS",
            Self::UkNhs => "UK_NHS",
            Self::UkNino => "UK_NINO",
            Self::DeTaxId => "DE_TAX_ID",
            Self::DeIdCard => "DE_ID_CARD",
            Self::FrNir => "FR_NIR",
            Self::EsNif => "ES_NIF",
            Self::ItFiscalCode => "IT_FISCAL_CODE",
            Self::NlBsn => "NL_BSN",
            Self::PlPesel => "PL_PESEL",
            Self::BrCpf => "BR_CPF",
            Self::BrCnpj => "BR_CNPJ",
            Self::InAadhaar => "IN_AADHAAR",
            Self::InPan => "IN_PAN",
            Self::CaSin => "CA_SIN",
            Self::AuTfn => "AU_TFN",
            Self::AuMedicare => "AU_MEDICARE",
            Self::MedicalRecord => "MEDICAL_RECORD",
            Self::BankAccount => "BANK_ACCOUNT",
            Self::VehiclePlate => "VEHICLE_PLATE",
            Self::Vin => "VIN",
            Self::CryptoWallet => "CRYPTO_WALLET",
            Self::GpsCoordinates => "GPS_COORDINATES",
            Self::Address => "ADDRESS",
            Self::PostalCode => "POSTAL_CODE",
            Self::Person => "PERSON",
            Self::Organization => "ORGANIZATION",
            Self::Location => "LOCATION",
            Self::Age => "AGE",
            Self::DateTime => "DATE_TIME",
            Self::Title => "TITLE",
            Self::Nationality => "NATIONALITY",
            Self::Url => "URL",
            Self::Custom => "CUSTOM",
        }
    }

    /// Whether the last four characters may be shown: they help an agent to recognise the value and don't give
    /// it away.
    #[must_use]
    pub const fn allows_partial(self) -> bool {
        matches!(
            self,
            Self::Phone
                | Self::PaymentCard
                | Self::UsSsn
                | Self::Iban
                | Self::Passport
                | Self::DrivingLicence
                | Self::UsItin
                | Self::UsEin
                | Self::UsRoutingNumber
                | Self::UkNhs
                | Self::UkNino
                | Self::DeTaxId
                | Self::DeIdCard
                | Self::FrNir
                | Self::EsNif
                | Self::ItFiscalCode
                | Self::NlBsn
                | Self::PlPesel
                | Self::BrCpf
                | Self::BrCnpj
                | Self::InAadhaar
                | Self::InPan
                | Self::CaSin
                | Self::AuTfn
                | Self::AuMedicare
                | Self::MedicalRecord
                | Self::BankAccount
                | Self::Vin
                | Self::CryptoWallet
                | Self::Custom
        )
    }

    /// Whether it is looked for only if a policy says what to do with it: by itself it tells of nobody.
    #[must_use]
    pub const fn is_optional(self) -> bool {
        matches!(self, Self::Age | Self::DateTime | Self::Title | Self::Nationality | Self::Url)
    }

    /// Whether spaces, dashes and letter case don't matter in its values.
    pub(crate) const fn is_number(self) -> bool {
        matches!(self, Self::MacAddress | Self::VehiclePlate | Self::Bic | Self::PostalCode)
            || (self.allows_partial() && !matches!(self, Self::CryptoWallet | Self::Custom))
    }

    /// Whether values may be told apart in the output, by a pseudonym or a hash. Of a secret not even that shall be
    /// known, whether two tickets hold the same one.
    #[must_use]
    pub const fn allows_linking(self) -> bool {
        !matches!(self, Self::Secret | Self::UrlCredentials)
    }

    /// Who wins where findings of equal length overlap; higher wins.
    pub(crate) const fn priority(self) -> u8 {
        match self {
            // The tenant knows its own.
            Self::Custom => 11,
            Self::Secret => 10,
            Self::UrlCredentials => 9,
            Self::PaymentCard | Self::CryptoWallet => 8,
            Self::Iban | Self::FrNir | Self::ItFiscalCode => 7,
            Self::UsSsn
            | Self::UsItin
            | Self::UsEin
            | Self::UsRoutingNumber
            | Self::UkNhs
            | Self::UkNino
            | Self::DeTaxId
            | Self::DeIdCard
            | Self::EsNif
            | Self::NlBsn
            | Self::PlPesel
            | Self::BrCpf
            | Self::BrCnpj
            | Self::InAadhaar
            | Self::InPan
            | Self::CaSin
            | Self::AuTfn
            | Self::AuMedicare => 6,
            Self::Email => 5,
            Self::Passport
            | Self::DrivingLicence
            | Self::Bic
            | Self::MedicalRecord
            | Self::BankAccount
            | Self::VehiclePlate
            | Self::Vin => 4,
            Self::DateOfBirth | Self::GpsCoordinates | Self::Address => 3,
            Self::IpAddress | Self::MacAddress | Self::PostalCode => 2,
            Self::Phone => 1,
            Self::Person
            | Self::Organization
            | Self::Location
            | Self::Age
            | Self::DateTime
            | Self::Title
            | Self::Nationality
            | Self::Url => 0,
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for PiiKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is no [`PiiKind`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of personal data `{0}`, expected one of {kinds}", kinds = names())]
pub struct UnknownKind(pub String);

fn names() -> String {
    PiiKind::ALL.map(PiiKind::as_str).join(", ")
}

impl FromStr for PiiKind {
    type Err = UnknownKind;

    /// Reads the stable name in any letter case, since environment variables and TOML keys differ in habit.
    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

impl Serialize for PiiKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for PiiKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_once_and_reads_back() {
        for (i, kind) in PiiKind::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), i);
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(kind.as_str().to_lowercase().parse(), Ok(kind));
        }
        let error = "E-MAIL".parse::<PiiKind>().unwrap_err().to_string();
        assert!(error.contains("`E-MAIL`") && error.contains("EMAIL, PHONE"), "{error}");
    }
}
