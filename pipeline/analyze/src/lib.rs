//! Classifies one redacted helpdesk ticket in microseconds: root cause, urgency, sentiment, industry,
//! language and a short summary.
//!
//! [`Analyzer`] is pure and synchronous: the same text and the same model file give the same answer, nothing
//! blocks, and the caller owns the working memory ([`Scratch`]), so a timely worker can call it in its
//! operator. The heads are multinomial linear models over one table of hashed words, word pairs and parts of words;
//! label sets, hash parameters, calibration and thresholds come from the model file, the meaning of public
//! data from a label map (`model/label_map.toml`). [`train`] makes such a file, [`eval`] measures it.
//!
//! ```
//! use deskstream_analyze::{Analyzer, Scratch};
//!
//! let analyzer = Analyzer::shipped()?;
//! let mut scratch = Scratch::default();
//! let analysis = analyzer.analyze("Refund", "I returned the shoes but got no refund yet.", &mut scratch);
//! assert_eq!(&*analysis.root_cause.name, "refund");
//! assert_eq!(analysis.language.code, "en");
//! # Ok::<(), deskstream_analyze::ModelError>(())
//! ```

mod analyzer;
mod cascade;
mod classifier;
#[cfg(feature = "encoder")]
pub mod encoder;
pub mod eval;
mod features;
mod language;
mod model;
mod reasons;
mod summary;
pub mod train;

pub use analyzer::{Analysis, Analyzer, SHIPPED_CASCADE, SHIPPED_LABEL_MAP, SHIPPED_SEED_SET};
pub use cascade::{CascadeHead, CascadeHeader};
pub use classifier::{Classifier, Label, Scratch};
#[cfg(feature = "encoder")]
pub use encoder::{Encoder, EncoderError};
pub use features::{FeatureParams, Norms};
pub use language::Language;
pub use model::{FORMAT_VERSION, Head, HeadModel, Model, ModelError, ModelHeader};
pub use summary::MAX_CHARS as SUMMARY_MAX_CHARS;
