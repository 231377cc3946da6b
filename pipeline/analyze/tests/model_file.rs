//! A model file is either whole or refused, with an error that says what is wrong.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use deskstream_analyze::{Analyzer, Classifier, Model, ModelError, ModelHeader, Scratch};
use proptest::prelude::*;

fn shipped() -> (ModelHeader, Vec<u8>) {
    let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/model/tickets.dsm")).unwrap();
    let header = Model::from_bytes(&bytes).unwrap().header().clone();
    (header, bytes)
}

/// The shipped model with a small table of its own, so that many variants can be checked quickly.
fn small() -> (ModelHeader, Vec<i8>) {
    let (mut header, _) = shipped();
    header.features.bits = 6;
    let table =
        (0..64 * usize::from(header.row_width)).map(|i| (i * 31 % 255) as u8 as i8).map(|w| w.max(-127));
    (header, table.collect())
}

fn small_file() -> Vec<u8> {
    let (header, table) = small();
    Model::encode(&header, &table).unwrap()
}

#[test]
fn the_shipped_file_fits_the_repository_and_opens_from_disk() {
    let (header, bytes) = shipped();
    assert!(bytes.len() <= 8 << 20);
    assert_eq!(header.seed, 42);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("copy.dsm");
    std::fs::write(&path, &bytes).unwrap();
    let (copy, shipped) = (Analyzer::open(&path).unwrap(), Analyzer::shipped().unwrap());
    assert_eq!(copy.version(), shipped.version());
    let (a, b) = (&mut Default::default(), &mut Default::default());
    let text = "please cancel my subscription";
    assert_eq!(copy.analyze("", text, a), shipped.analyze("", text, b));
}

#[test]
fn encode_and_load_round_trip() {
    let (header, table) = small();
    let model = Model::from_bytes(&Model::encode(&header, &table).unwrap()).unwrap();
    assert_eq!(model.header(), &header);
}

#[test]
fn a_model_of_other_questions_is_no_analyzer_but_classifies() {
    let (mut header, table) = small();
    header.heads.pop();
    let file = Model::encode(&header, &table).unwrap();
    let error = Analyzer::from_model(Model::from_bytes(&file).unwrap()).unwrap_err();
    assert!(
        matches!(error, ModelError::OtherHeads { .. }) && error.to_string().contains("industry"),
        "{error}"
    );

    let classifier = Classifier::from_model(Model::from_bytes(&file).unwrap());
    let mut scratch = Scratch::default();
    assert!(classifier.score("", "where is my parcel", &mut scratch));
    assert_eq!(classifier.probabilities(2, &scratch).len(), 3);
    assert!(!classifier.score("", "[EMAIL] !!", &mut scratch), "masks say nothing");
}

#[test]
fn files_that_are_no_model_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Analyzer::open(&dir.path().join("missing")), Err(ModelError::Read { .. })));
    for bytes in [&b""[..], b"DSKMODE", b"{\"json\": true}", b"PK\x03\x04 and so on"] {
        assert!(matches!(Model::from_bytes(bytes), Err(ModelError::NotAModel)));
    }
    assert!(matches!(Model::from_bytes(b"DSKMODEL"), Err(ModelError::Length { .. })));
    let mut other = small_file();
    other[8] = 2;
    let error = Model::from_bytes(&other).unwrap_err();
    assert!(matches!(error, ModelError::Version { found: 2, supported: 1 }));
    assert!(error.to_string().contains("deskstream train"));
}

#[test]
fn a_file_cut_off_or_longer_is_refused() {
    let file = small_file();
    for len in (0..file.len()).step_by(7).chain([file.len() - 1]) {
        assert!(Model::from_bytes(&file[..len]).is_err(), "{len}");
    }
    let mut longer = file;
    longer.push(0);
    assert!(matches!(Model::from_bytes(&longer), Err(ModelError::Length { .. })));
}

#[test]
fn every_flipped_bit_of_the_shipped_file_is_noticed() {
    let (_, bytes) = shipped();
    // every byte of the header, then some of the table and all of the checksum
    let places = (0..4096)
        .step_by(61)
        .chain((4096..bytes.len()).step_by(300_007))
        .chain(bytes.len() - 32..bytes.len());
    for at in places {
        let mut broken = bytes.clone();
        broken[at] ^= 1 << (at % 8);
        assert!(Model::from_bytes(&broken).is_err(), "bit {} of byte {at}", at % 8);
    }
}

#[test]
fn a_header_that_contradicts_itself_is_refused() {
    type Case = (&'static str, fn(&mut ModelHeader));
    let cases: &[Case] = &[
        ("repeated label", |h| h.heads[0].labels[1] = h.heads[0].labels[0].clone()),
        ("empty label", |h| h.heads[0].labels[0] = " ".into()),
        ("fallback outside", |h| h.heads[1].fallback = 4),
        ("missing scale", |h| h.heads[2].scales.truncate(1)),
        ("not a number", |h| h.heads[0].biases[0] = f32::NAN),
        ("no temperature", |h| h.heads[0].temperature = 0.0),
        ("threshold above 1", |h| h.heads[0].abstain_below = 1.5),
        ("overlapping columns", |h| h.heads[1].column = 0),
        ("columns in another order", |h| h.heads.swap(0, 1)),
        ("two heads of one name", |h| h.heads[1].name = h.heads[0].name.clone()),
        ("a head without a name", |h| h.heads[0].name = " ".into()),
        ("no heads", |h| h.heads.clear()),
        ("narrow rows", |h| h.row_width = 16),
        ("no n-gram that long", |h| h.features.char_ngrams = vec![9]),
        ("no affix that short", |h| h.features.affixes = vec![1]),
        ("huge table", |h| h.features.bits = 63),
        ("nothing read", |h| h.features.max_bytes = 0),
        ("no name", |h| h.name.clear()),
    ];
    for (name, change) in cases {
        let (mut header, table) = small();
        change(&mut header);
        assert!(Model::encode(&header, &table).is_err(), "{name}");
    }
    let (header, mut table) = small();
    table[5] = -128;
    assert!(Model::encode(&header, &table).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), magic in any::<bool>()) {
        if magic {
            let head = b"DSKMODEL\x01\x00\x00\x00";
            bytes.splice(..bytes.len().min(12), head.iter().copied());
        }
        prop_assert!(Model::from_bytes(&bytes).is_err());
    }

    #[test]
    fn one_changed_byte_is_refused(at in 0usize..4000, change in 1u8..) {
        let mut file = small_file();
        let at = at % file.len();
        file[at] ^= change;
        prop_assert!(Model::from_bytes(&file).is_err());
    }
}
