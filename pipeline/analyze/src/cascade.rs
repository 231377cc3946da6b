//! The head behind the encoder: a vector and what the fast head thinks become one calibrated label.
//!
//! `softmax((W v + b + mix · ln p) / temperature)`, `v` the encoder's vector and `p` the fast head's probabilities: what
//! both learnt counts. The file: magic `DSKCASCD`, version, length of the header, header (JSON: [`CascadeHeader`]), then
//! for each label its weights and its bias as `f32`, then the SHA-256 of everything before; little-endian.

use std::{path::Path, sync::Arc};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    classifier::{Label, argmax},
    model::ModelError,
};

const MAGIC: &[u8; 8] = b"DSKCASCD";
/// The version this program writes and reads.
const VERSION: u32 = 1;
const PREFIX: usize = 16;
const DIGEST: usize = 32;
/// 4096 labels of 1024 numbers.
const MAX_FILE: u64 = 32 << 20;

/// Everything of a cascade head but its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CascadeHeader {
    /// The question it answers, as the fast head is called.
    pub head: String,
    /// The encoder whose vectors it reads.
    pub encoder: String,
    /// Version of the model whose fast head it listens to.
    pub fast_model: String,
    /// Numbers in a vector.
    pub width: u32,
    /// Its label set, in the order of the fast head.
    pub labels: Vec<Arc<str>>,
    /// How much the fast head's opinion counts.
    pub mix: f32,
    /// Divides the logits; fitted on the dev split.
    pub temperature: f32,
    /// A confidence below this is an abstention.
    pub abstain_below: f32,
    /// The encoder is asked where the fast head's confidence is below this.
    pub ask_below: f32,
    /// Seed of the training run.
    pub seed: u64,
}

/// A validated cascade head.
#[derive(Debug, Clone)]
pub struct CascadeHead {
    header: CascadeHeader,
    version: String,
    /// By label: weights, then bias.
    weights: Vec<f32>,
}

impl CascadeHead {
    /// Reads a file.
    ///
    /// # Errors
    /// As [`CascadeHead::from_bytes`], and if the file can't be read or is larger than any head may be.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let read = |source| ModelError::Read { path: path.to_owned(), source };
        let bytes = std::fs::metadata(path).map_err(read)?.len();
        if bytes > MAX_FILE {
            return Err(ModelError::TooLarge { bytes, limit: MAX_FILE });
        }
        Self::from_bytes(&std::fs::read(path).map_err(read)?)
    }

    /// Takes a whole file.
    ///
    /// # Errors
    /// If it is no cascade head, of another version, cut off, damaged, or contradicts itself.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
        if bytes.get(..8) != Some(MAGIC) {
            return Err(ModelError::NotAModel);
        }
        let short =
            |expected: usize| ModelError::Length { found: bytes.len() as u64, expected: expected as u64 };
        let (Some(version), Some(length)) = (word(8), word(12)) else { return Err(short(PREFIX)) };
        if version != VERSION {
            return Err(ModelError::Version { found: version, supported: VERSION });
        }
        let start = PREFIX + length as usize;
        if bytes.len() < start + DIGEST {
            return Err(short(start + DIGEST));
        }
        let (content, digest) = bytes.split_at(bytes.len() - DIGEST);
        if Sha256::digest(content).as_slice() != digest {
            return Err(ModelError::Checksum);
        }
        let header: CascadeHeader =
            serde_json::from_slice(&content[PREFIX..start]).map_err(ModelError::Header)?;
        let (weights, rest) = content[start..].as_chunks::<4>();
        let weights: Vec<f32> = weights.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let expected = start + header.labels.len() * (header.width as usize + 1) * 4 + DIGEST;
        if bytes.len() != expected || !rest.is_empty() {
            return Err(short(expected));
        }
        check(&header, &weights)?;
        let version = format!("{}-{}", header.head, hex::encode(&digest[..6]));
        Ok(CascadeHead { header, version, weights })
    }

    /// Encodes a file.
    ///
    /// # Errors
    /// Exactly what reading would refuse.
    pub fn encode(header: &CascadeHeader, weights: &[f32]) -> Result<Vec<u8>, ModelError> {
        let json = serde_json::to_vec(header).map_err(ModelError::Header)?;
        let mut out = Vec::with_capacity(PREFIX + json.len() + weights.len() * 4 + DIGEST);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(json.len() as u32).to_le_bytes());
        out.extend_from_slice(&json);
        weights.iter().for_each(|w| out.extend_from_slice(&w.to_le_bytes()));
        let digest = Sha256::digest(&out);
        out.extend_from_slice(&digest);
        Self::from_bytes(&out)?;
        Ok(out)
    }

    /// Everything but the weights.
    #[must_use]
    pub fn header(&self) -> &CascadeHeader {
        &self.header
    }

    /// Head and the first 12 hex digits of the file's SHA-256.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether the encoder is worth asking after such an answer of the fast head.
    #[must_use]
    pub fn asks(&self, fast: &Label) -> bool {
        fast.confidence < self.header.ask_below
    }

    /// Probabilities by label, from the encoder's vector and the fast head's probabilities. `None` if either has another
    /// length than this head's: they are of another encoder or model.
    #[must_use]
    pub fn probabilities(&self, vector: &[f32], fast: &[f32]) -> Option<Vec<f32>> {
        let CascadeHeader { width, labels, mix, temperature, .. } = &self.header;
        if vector.len() != *width as usize || fast.len() != labels.len() {
            return None;
        }
        let logits = logits(&self.weights, vector);
        Some(combine(&logits, fast, *mix, *temperature))
    }

    /// The most probable label by what [`CascadeHead::probabilities`] gave.
    #[must_use]
    pub fn label(&self, probabilities: &[f32]) -> Label {
        let (best, confidence) = argmax(probabilities);
        let abstained = confidence < self.header.abstain_below;
        Label { name: self.header.labels[best].clone(), confidence, abstained }
    }
}

/// `W v + b`; rows of `weights` are a label's weights and its bias.
pub(crate) fn logits(weights: &[f32], vector: &[f32]) -> Vec<f32> {
    let one = |row: &[f32]| {
        let (weights, bias) = row.split_at(vector.len());
        weights.iter().zip(vector).map(|(w, v)| w * v).sum::<f32>() + bias[0]
    };
    weights.chunks_exact(vector.len() + 1).map(one).collect()
}

/// Both opinions as one.
pub(crate) fn combine(logits: &[f32], fast: &[f32], mix: f32, temperature: f32) -> Vec<f32> {
    let both = logits.iter().zip(fast).map(|(z, p)| (z + mix * p.max(1e-6).ln()) / temperature);
    let mut p: Vec<f32> = both.collect();
    let max = p.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    p.iter_mut().for_each(|p| *p = (*p - max).exp());
    let total: f32 = p.iter().sum();
    p.iter_mut().for_each(|p| *p /= total);
    p
}

fn check(header: &CascadeHeader, weights: &[f32]) -> Result<(), ModelError> {
    let fail = |what: String| Err(ModelError::Inconsistent(what));
    let mut seen = std::collections::HashSet::new();
    if header.labels.len() < 2 || !header.labels.iter().all(|l| !l.trim().is_empty() && seen.insert(l)) {
        return fail(format!("{} has fewer than two labels, or an empty or a repeated one", header.head));
    }
    let shares = [header.abstain_below, header.ask_below];
    let sizes = [header.temperature, header.mix].iter().all(|x| x.is_finite() && *x >= 0.0);
    if !sizes
        || header.temperature == 0.0
        || shares.iter().any(|s| !(0.0..=1.0).contains(s))
        || weights.iter().any(|w| !w.is_finite())
    {
        return fail(format!("{} has a number out of range", header.head));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> CascadeHeader {
        CascadeHeader {
            head: "team".into(),
            encoder: "e".into(),
            fast_model: "m".into(),
            width: 2,
            labels: vec!["a".into(), "b".into()],
            mix: 1.0,
            temperature: 1.0,
            abstain_below: 0.6,
            ask_below: 0.9,
            seed: 1,
        }
    }

    const WEIGHTS: [f32; 6] = [3.0, 0.0, 0.0, 0.0, 3.0, 0.0];

    #[test]
    fn both_opinions_count() {
        let head = CascadeHead::from_bytes(&CascadeHead::encode(&header(), &WEIGHTS).unwrap()).unwrap();
        let name = |vector: &[f32], fast: &[f32]| {
            head.probabilities(vector, fast).map(|p| head.label(&p).name.to_string())
        };
        assert_eq!(name(&[1.0, 0.0], &[0.5, 0.5]).as_deref(), Some("a"));
        assert_eq!(
            name(&[0.1, 0.0], &[0.1, 0.9]).as_deref(),
            Some("b"),
            "a sure fast head against an unsure vector"
        );
        // by hand: logits 3 + ln 0.5 and 0 + ln 0.5
        let p = head.probabilities(&[1.0, 0.0], &[0.5, 0.5]).unwrap();
        assert!((p[0] - 1.0 / (1.0 + (-3f32).exp())).abs() < 1e-6);
        assert_eq!(name(&[1.0], &[0.5, 0.5]), None, "a vector of another encoder");
        assert_eq!(name(&[1.0, 0.0], &[1.0]), None, "a model of other labels");
    }

    #[test]
    fn a_file_is_whole_or_refused() {
        let file = CascadeHead::encode(&header(), &WEIGHTS).unwrap();
        for at in 0..file.len() {
            let mut broken = file.clone();
            broken[at] ^= 1;
            assert!(CascadeHead::from_bytes(&broken).is_err(), "byte {at}");
            assert!(CascadeHead::from_bytes(&file[..at]).is_err(), "{at} bytes");
        }
        let mut other = file;
        other[8] = 9;
        assert!(matches!(
            CascadeHead::from_bytes(&other),
            Err(ModelError::Version { found: 9, supported: 1 })
        ));
        assert!(matches!(CascadeHead::from_bytes(b"DSKMODEL"), Err(ModelError::NotAModel)));
    }

    #[test]
    fn a_header_that_contradicts_itself_is_refused() {
        let cases: [fn(&mut CascadeHeader); 5] = [
            |h| h.labels[1] = "a".into(),
            |h| h.labels.truncate(1),
            |h| h.temperature = 0.0,
            |h| h.ask_below = 1.5,
            |h| h.width = 3,
        ];
        for (i, change) in cases.iter().enumerate() {
            let mut header = header();
            change(&mut header);
            assert!(CascadeHead::encode(&header, &WEIGHTS).is_err(), "{i}");
        }
        assert!(CascadeHead::encode(&header(), &[f32::NAN; 6]).is_err());
    }
}
