//! Typing mistakes as people make them: letters swapped, left out, doubled, or from the next key.

use super::Random;
use rand::RngExt;

const NEIGHBOURS: [(char, char); 14] = [
    ('a', 's'),
    ('e', 'r'),
    ('i', 'o'),
    ('o', 'p'),
    ('n', 'm'),
    ('t', 'y'),
    ('s', 'd'),
    ('r', 't'),
    ('l', 'k'),
    ('h', 'j'),
    ('u', 'i'),
    ('d', 'f'),
    ('c', 'v'),
    ('g', 'h'),
];

/// Harms about `share` of the words of five letters and more.
pub(super) fn careless(random: &mut Random, text: &str, share: f64) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for word in text.split_inclusive([' ', '\n']) {
        let letters = word.trim_end().chars().count();
        // Order numbers, amounts and codes stay right: people copy those.
        let plain = word.trim_end().chars().all(|c| c.is_alphabetic() || matches!(c, ',' | '.' | '!' | '?'));
        if letters >= 5 && plain && random.random_bool(share) {
            out.push_str(&harm(random, word));
        } else {
            out.push_str(word);
        }
    }
    out
}

fn harm(random: &mut Random, word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    // Inside the word and clear of its ending and punctuation: four characters at least are there.
    let place = random.random_range(1..letters.len().saturating_sub(3).max(2));
    match random.random_range(0..4) {
        0 => letters.swap(place, place + 1),
        1 => {
            letters.remove(place);
        }
        2 => letters.insert(place, letters[place]),
        _ => {
            if let Some((_, next)) = NEIGHBOURS.iter().find(|(key, _)| *key == letters[place]) {
                letters[place] = *next;
            }
        }
    }
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn codes_and_spacing_stay_and_words_change() {
        let mut random = Random::seed_from_u64(3);
        let text = "please check order #4711 which was delivered yesterday\nthanks everybody";
        let harmed = careless(&mut random, text, 1.0);
        assert!(harmed.contains("#4711") && harmed.contains('\n'));
        assert_ne!(harmed, text);
        assert_eq!(harmed.split_whitespace().count(), text.split_whitespace().count());
        assert_eq!(careless(&mut random, text, 0.0), text);
    }
}
