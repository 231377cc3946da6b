//! Names and mail hosts. Hosts are reserved for documentation (RFC 2606) so that no mail can ever arrive.

use super::Language;

pub(super) fn given(language: Language) -> &'static [&'static str] {
    match language {
        Language::English => &[
            "James", "Mary", "Robert", "Priya", "Linda", "Wei", "Barbara", "Ahmed", "Susan", "Joseph",
            "Karen", "Daniel", "Emma", "Olivia", "Noah", "Liam", "Aisha", "Marcus", "Chloe", "Ravi",
            "Siobhan", "Tyler", "Grace", "Kwame",
        ],
        Language::German => &[
            "Lukas",
            "Anna",
            "Jürgen",
            "Sabine",
            "Maximilian",
            "Katharina",
            "Björn",
            "Heike",
            "Mehmet",
            "Lena",
        ],
        Language::Spanish => {
            &["José", "María", "Carlos", "Lucía", "Javier", "Carmen", "Álvaro", "Sofía", "Iñaki", "Pilar"]
        }
        Language::French => {
            &["Jean", "Marie", "Pierre", "Camille", "François", "Chloé", "Amélie", "Youssef", "Hélène", "Luc"]
        }
        Language::Portuguese => {
            &["João", "Maria", "Antônio", "Ana", "Paulo", "Beatriz", "Conceição", "Tiago", "Inês", "Rui"]
        }
    }
}

pub(super) fn family(language: Language) -> &'static [&'static str] {
    match language {
        Language::English => &[
            "Smith", "Johnson", "Patel", "Nguyen", "O'Connor", "Williams", "Brown", "Garcia", "Miller",
            "Okafor", "Wilson", "Anderson", "Chen", "Taylor", "Moore", "Hussain", "Thompson", "Clarke",
            "Walker", "Bennett", "Fraser", "Mehta",
        ],
        Language::German => &[
            "Müller",
            "Schmidt",
            "Schneider",
            "Weiß",
            "Hoffmann",
            "Köhler",
            "Yılmaz",
            "Lehmann",
            "Groß",
            "Vogel",
        ],
        Language::Spanish => &[
            "García",
            "Fernández",
            "López",
            "Martínez",
            "Muñoz",
            "Ibáñez",
            "Ruiz",
            "Torres",
            "Núñez",
            "Vega",
        ],
        Language::French => &[
            "Martin", "Bernard", "Dubois", "Lefèvre", "Moreau", "Garnier", "Benali", "Fournier", "Girard",
            "Noël",
        ],
        Language::Portuguese => &[
            "Silva",
            "Santos",
            "Oliveira",
            "Pereira",
            "Gonçalves",
            "Araújo",
            "Conceição",
            "Ferreira",
            "Melo",
            "Brandão",
        ],
    }
}

pub(super) const MAIL_HOSTS: [&str; 12] = [
    "example.com",
    "example.org",
    "example.net",
    "mail.example.com",
    "corp.example.net",
    "acme.example",
    "shop.example",
    "post.example.org",
    "uni.example.org",
    "bank.example",
    "studio.example.com",
    "web.example.net",
];

/// A name as it goes into an address: lower-case ASCII letters only.
pub(super) fn ascii(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.to_lowercase().chars() {
        match c {
            'ä' => out.push_str("ae"),
            'ö' => out.push_str("oe"),
            'ü' => out.push_str("ue"),
            'ß' => out.push_str("ss"),
            'á' | 'à' | 'â' | 'ã' => out.push('a'),
            'é' | 'è' | 'ê' | 'ë' => out.push('e'),
            'í' | 'î' | 'ı' => out.push('i'),
            'ó' | 'ô' | 'õ' => out.push('o'),
            'ú' | 'û' => out.push('u'),
            'ç' => out.push('c'),
            'ñ' => out.push('n'),
            c if c.is_ascii_alphabetic() => out.push(c),
            _ => {}
        }
    }
    out
}
