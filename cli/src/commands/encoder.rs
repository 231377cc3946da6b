//! The precise encoder, for the commands that train and measure.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use deskstream_analyze::Encoder;
use indicatif::ProgressBar;

/// Texts handed over at once: enough to keep every thread busy, few enough to see progress.
const BATCH: usize = 64;

/// Opens the encoder in a folder, with a thread for each core; `default` is where the script puts it.
pub fn open(folder: &Path) -> anyhow::Result<Encoder> {
    let folder = if folder == Path::new("default") {
        Encoder::default_folder().context("--encoder default: neither XDG_CACHE_HOME nor HOME is set")?
    } else {
        PathBuf::from(folder)
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(Encoder::with_threads(&folder, threads)?)
}

/// The vectors of texts, in their order.
pub fn embed_all(
    encoder: &Encoder,
    texts: &[impl AsRef<str>],
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Vec<f32>>> {
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(BATCH) {
        let batch: Vec<&str> = batch.iter().map(AsRef::as_ref).collect();
        vectors.extend(encoder.embed(&batch)?);
        bar.inc(batch.len() as u64);
    }
    Ok(vectors)
}
