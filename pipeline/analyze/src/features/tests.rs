//! Tests of the featuriser.

use super::fold::{Char, classify};
use super::*;

fn params() -> FeatureParams {
    FeatureParams {
        bits: 18,
        seed: 7,
        word_bigrams: true,
        char_ngrams: vec![4],
        affixes: vec![],
        max_bytes: 4096,
        norms: Norms::default(),
    }
}

fn grams_of(f: &Features, params: &FeatureParams) -> Vec<u32> {
    let mut rows = Vec::new();
    f.spelled.iter().for_each(|word| f.parts_of(*word, params, &mut rows));
    assert_eq!(rows.len(), f.parts, "the count must foretell the rows");
    rows
}

fn features(text: &str) -> Features {
    let mut f = Features::default();
    f.add(text, &params());
    f
}

#[test]
fn case_diacritics_and_apostrophes_fold() {
    let plain = features("i dont know your uber cafe 000");
    let fancy = features("I don't know your Über CAFÉ 427");
    assert_eq!(plain.words, fancy.words);
    assert_eq!(grams_of(&plain, &params()), grams_of(&fancy, &params()));
    assert_eq!(features("I don\u{2019}t know").words, features("i dont know").words);
}

#[test]
fn the_latin_table_folds_letter_by_letter() {
    for (c, folded) in [
        ('À', b'a'),
        ('Ö', b'o'),
        ('ß', b's'),
        ('ö', b'o'),
        ('ÿ', b'y'),
        ('Ł', b'l'),
        ('ł', b'l'),
        ('ń', b'n'),
        ('œ', b'o'),
        ('ř', b'r'),
        ('š', b's'),
        ('ű', b'u'),
        ('Ź', b'z'),
        ('ž', b'z'),
        ('ě', b'e'),
        ('ğ', b'g'),
        ('ı', b'i'),
        ('Ā', b'a'),
        ('ŧ', b't'),
        ('ŵ', b'w'),
    ] {
        match classify(c) {
            Char::Letter(code) => assert_eq!(code, u16::from(folded), "{c}"),
            _ => panic!("{c} is a letter"),
        }
    }
    assert!(matches!(classify('×'), Char::Separator));
}

#[test]
fn a_mask_is_one_token() {
    let f = features("[PERSON_3]");
    assert_eq!((f.words.len(), f.parts), (1, 0));
    assert_eq!(f.words, features("[PERSON]").words);
    assert_eq!(f.words, features("[PERSON_12]").words);
    assert_ne!(f.words, features("[EMAIL]").words);
    assert_eq!(features("mail [EMAIL] now").words.len(), 5);
    // not a mask: brackets are only punctuation
    assert_eq!(features("[sic]").words, features("sic").words);
    assert_eq!(features("[UNCLOSED").words, features("unclosed").words);
}

#[test]
fn character_ngrams_are_those_of_the_padded_word() {
    // <refund> has <ref refu efun fund und> of four, <refu refun efund fund> of five
    for (n, count) in [(2, 7), (3, 6), (4, 5), (5, 4), (8, 1)] {
        let params = FeatureParams { char_ngrams: vec![n], ..params() };
        let mut f = Features::default();
        f.add("refund", &params);
        let f = grams_of(&f, &params);
        assert_eq!(f.len(), count, "{n}");
        // refunds shares all but those that reach its end
        let mut g = Features::default();
        g.add("refunds", &params);
        let g = grams_of(&g, &params);
        assert_eq!(f[..count - 1], g[..count - 1], "{n}");
        assert_ne!(f[count - 1], g[count - 1], "{n}");
    }
}

#[test]
fn affixes_are_the_ends_of_longer_words() {
    let params = FeatureParams { char_ngrams: vec![], affixes: vec![3], ..params() };
    let grams = |text: &str| {
        let mut f = Features::default();
        f.add(text, &params);
        grams_of(&f, &params)
    };
    let (refund, refused, fund) = (grams("refund"), grams("refused"), grams("fund"));
    assert_eq!(refund.len(), 2);
    assert_eq!(refund[0], refused[0], "prefix ref");
    assert_eq!(refund[1], fund[1], "suffix und");
    assert_ne!(grams("undo")[0], refund[1], "a prefix is no suffix");
    assert!(grams("the").is_empty());
}

#[test]
fn links_and_mentions_are_one_token() {
    assert_eq!(features("see https://a.example/x?y=1 now").words, features("see http now").words);
    assert_eq!(features("@someone_else").words, features("@user").words);
    assert_eq!(features("@someone").words.len(), 1);
}

#[test]
fn scripts_without_spaces_yield_characters() {
    assert_eq!(features("返金").words.len(), 3);
    assert_eq!(features("👍").words.len(), 1);
    assert!(features(" \n\t .,;").words.is_empty());
}

#[test]
fn sentences_cover_the_words() {
    let text = "Hello there. My order v1.2 is late! Why\nThanks";
    let f = features(text);
    let cut: Vec<&str> = f.sentences.iter().map(|s| text[s.start as usize..s.end as usize].trim()).collect();
    assert_eq!(cut, ["Hello there.", "My order v1.2 is late!", "Why", "Thanks"]);
    assert_eq!(f.sentences.last().unwrap().end_word as usize, f.words.len());
}

#[test]
fn a_long_text_is_read_at_both_ends() {
    let text = "ä".repeat(10_000);
    let (head, tail) = window(&text, 4096);
    assert_eq!((head.len(), tail.len()), (3072, 1024));
    assert_eq!(window("short", 4096), ("short", ""));
}
