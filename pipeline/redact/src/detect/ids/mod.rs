//! Identifiers of people, accounts and things: national ids, bank codes, vehicles, wallets, addresses of network cards.
//!
//! Two ways lead to a finding. [`labelled`] reads what stands behind a word that names the identifier ("NHS number:"),
//! and asks the identifier's checksum where it has one. [`shapes`] looks at each digit group for the few forms
//! that are unmistakable without a word, such as a codice fiscale or a formatted CPF. Bare nine or eleven digits are
//! never taken without a word: one in ten or eleven passes a checksum.

mod checks;
mod labelled;
mod shapes;
mod wallet;

pub(in crate::detect) use checks::{luhn, us_itin};
pub(in crate::detect) use labelled::find as find_labelled;
pub(in crate::detect) use shapes::{find as find_shapes, find_mac};

/// What a word of the lexicon names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    /// A national or tax id of a country that the word doesn't tell.
    National,
    Itin,
    Ein,
    Bic,
    Routing,
    Mac,
    Nhs,
    Nino,
    DeTax,
    DeCard,
    Nir,
    Nif,
    FiscalCode,
    Bsn,
    Pesel,
    Cpf,
    Cnpj,
    Aadhaar,
    IndianPan,
    Sin,
    Tfn,
    Medicare,
    Medical,
    Account,
    SortCode,
    Plate,
    Vin,
    Wallet,
    Gps,
    Postal,
}
