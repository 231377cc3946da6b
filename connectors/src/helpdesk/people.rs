//! Who takes part in a ticket.

use deskstream_schemas::{Person, PersonRole};

/// More people than this in one ticket are not kept: the names of a mailing list are no one's secret, and each costs
/// redaction a look at every word.
const MOST: usize = 64;

/// Adds someone who has a name or an address, once.
pub(crate) fn add(people: &mut Vec<Person>, role: PersonRole, name: Option<&str>, email: Option<&str>) {
    let owned = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let person = Person { role, name: owned(name), email: owned(email) };
    let named = person.name.is_some() || person.email.is_some();
    if named && people.len() < MOST && !people.contains(&person) {
        people.push(person);
    }
}

/// Adds who an address of a message names: `ana@example.com` or `Ana Smith <ana@example.com>`.
pub(crate) fn add_address(people: &mut Vec<Person>, role: PersonRole, address: &str) {
    match address.split_once('<') {
        Some((name, rest)) => {
            let email = rest.split('>').next();
            add(people, role, Some(name.trim().trim_matches('"')), email);
        }
        None => add(people, role, None, Some(address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_bring_a_name() {
        let mut people = Vec::new();
        for address in
            ["ana@example.com", "\"Ana Smith\" <ana@example.com>", "Bo<bo@example.com", "", "ana@example.com"]
        {
            add_address(&mut people, PersonRole::Cc, address);
        }
        let told: Vec<_> =
            people.iter().map(|person| (person.name.as_deref(), person.email.as_deref())).collect();
        assert_eq!(
            told,
            [
                (None, Some("ana@example.com")),
                (Some("Ana Smith"), Some("ana@example.com")),
                (Some("Bo"), Some("bo@example.com")),
            ]
        );
    }
}
