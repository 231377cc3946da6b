//! Reading labelled text: JSON lines with `text` (and `subject`, `lang`), and the seed set in TOML.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    TrainError,
    label_map::{Gold, LabelMap, Use, label_of, words},
    rng::Rng,
};

/// One labelled text.
#[derive(Debug, Clone)]
pub struct Example {
    /// May be empty.
    pub subject: String,
    /// The text itself.
    pub body: String,
    /// ISO 639-1, empty if not given.
    pub lang: String,
    /// Its labels by head.
    pub gold: Gold,
    /// Name of its set.
    pub source: String,
    /// Factor on its loss.
    pub weight: f32,
}

impl Example {
    /// Whether any head can use it.
    #[must_use]
    pub fn is_labelled(&self) -> bool {
        self.gold.iter().any(|g| !g.is_empty())
    }
}

/// Why data are read: training refuses sets that may only be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To fit weights.
    Train,
    /// To measure.
    Eval,
}

/// What reading found.
#[derive(Debug, Default)]
pub struct Loaded {
    /// In the order of files and lines.
    pub examples: Vec<Example>,
    /// Records that no rule of the label map gave a label.
    pub unlabelled: usize,
}

/// Reads files, and folders with their `*.jsonl` files in order of name, subfolders included.
///
/// # Errors
/// `Read`, `Record` with file and line, `EvalOnly` for a set that must not be trained on, `NoData`.
pub fn load(paths: &[PathBuf], map: &LabelMap, purpose: Purpose) -> Result<Loaded, TrainError> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files)?;
    }
    if files.is_empty() {
        return Err(TrainError::NoData(paths.to_vec()));
    }
    let mut loaded = Loaded::default();
    for file in &files {
        let source = map.source_of(file);
        if purpose == Purpose::Train
            && let Some(s) = source.map(|i| &map.sources()[i])
            && s.usage == Use::Eval
        {
            return Err(TrainError::EvalOnly {
                path: file.clone(),
                source_name: s.name.clone(),
                licence: s.licence.clone(),
            });
        }
        read_lines(file, source, map, &mut loaded)?;
    }
    Ok(loaded)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), TrainError> {
    let failed = |source| TrainError::Read { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect())
        .map_err(failed)?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() || entry.extension().is_some_and(|e| e == "jsonl") {
            collect(&entry, files)?;
        }
    }
    Ok(())
}

/// The labels that occur in columns of the data, in the order of the alphabet.
///
/// # Errors
/// `Read`, `Record`, `NoData`; `NoColumn` if no record has the field.
pub fn columns(paths: &[PathBuf], names: &[String]) -> Result<Vec<(String, Vec<String>)>, TrainError> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files)?;
    }
    let mut labels = vec![BTreeSet::<String>::new(); names.len()];
    for file in &files {
        each_record(file, |fields| {
            for (name, labels) in names.iter().zip(&mut labels) {
                match fields.get(name) {
                    None | Some(Value::Null) => {}
                    Some(value) => match label_of(value) {
                        Some(label) if !labels.contains(&*label) => drop(labels.insert(label.into_owned())),
                        Some(_) => {}
                        None => {
                            return Err(format!(
                                "field {name:?} is not a label: give text that is not empty"
                            ));
                        }
                    },
                }
            }
            Ok(())
        })?;
    }
    if let Some((name, _)) = names.iter().zip(&labels).find(|(_, l)| l.is_empty()) {
        return Err(TrainError::NoColumn(name.clone()));
    }
    Ok(names.iter().cloned().zip(labels.into_iter().map(|l| l.into_iter().collect())).collect())
}

/// Calls `each` with the fields of every record of a file.
fn each_record(
    file: &Path,
    mut each: impl FnMut(Map<String, Value>) -> Result<(), String>,
) -> Result<(), TrainError> {
    let failed = |source| TrainError::Read { path: file.to_owned(), source };
    let reader = BufReader::new(std::fs::File::open(file).map_err(failed)?);
    for (i, line) in reader.lines().enumerate() {
        let line = line.map_err(failed)?;
        if line.trim().is_empty() {
            continue;
        }
        let record = |message: String| TrainError::Record { path: file.to_owned(), line: i + 1, message };
        let fields = serde_json::from_str(&line).map_err(|e| record(e.to_string()))?;
        each(fields).map_err(record)?;
    }
    Ok(())
}

fn read_lines(
    file: &Path,
    source: Option<usize>,
    map: &LabelMap,
    loaded: &mut Loaded,
) -> Result<(), TrainError> {
    let name = source.map_or("own data", |i| &map.sources()[i].name);
    each_record(file, |fields| {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(clean);
        let Some(body) = text("text") else { return Err("no string field \"text\"".into()) };
        let subject = text("subject").unwrap_or_default();
        let gold = map.label(source, &fields, &words(&format!("{subject} {body}")));
        let lang = text("lang").unwrap_or_default();
        let weight = map.weight(source, &fields);
        let example = Example { subject, body, lang, gold, source: name.to_owned(), weight };
        if example.is_labelled() {
            loaded.examples.push(example);
        } else {
            loaded.unlabelled += 1;
        }
        Ok(())
    })
}

/// Some sets hold line breaks as the two characters `\n`.
fn clean(text: &str) -> String {
    text.replace("\\n", "\n")
}

/// The seed set: hand-written sentences by label and language, and what people write around them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedSet {
    #[serde(default, rename = "group")]
    groups: Vec<SeedGroup>,
    #[serde(default, rename = "wrap")]
    wraps: Vec<Wrap>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedGroup {
    set: BTreeMap<String, String>,
    texts: BTreeMap<String, Vec<String>>,
}

/// Greetings and closings of one language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrap {
    lang: String,
    before: Vec<String>,
    after: Vec<String>,
}

impl SeedSet {
    /// Parses a seed set.
    ///
    /// # Errors
    /// `SeedSet` names what is wrong.
    pub fn parse(text: &str) -> Result<Self, TrainError> {
        toml::from_str(text).map_err(|error| TrainError::SeedSet(error.to_string().trim().to_owned()))
    }

    /// Its sentences as examples.
    ///
    /// # Errors
    /// `SeedSet` for a label that the label map does not have.
    pub fn examples(&self, map: &LabelMap) -> Result<Vec<Example>, TrainError> {
        let source = map.source_of(Path::new("seed.toml"));
        let weight = map.weight(source, &Map::new());
        let mut out = Vec::new();
        for group in &self.groups {
            for (head, label) in &group.set {
                let spec = map.heads().iter().find(|h| h.name == *head);
                if spec.is_none_or(|h| !h.labels.contains(label)) {
                    return Err(TrainError::SeedSet(format!("head {head} has no label {label:?}")));
                }
            }
            let fields: Map<String, Value> =
                group.set.iter().map(|(h, l)| (h.clone(), Value::from(l.as_str()))).collect();
            for (lang, texts) in &group.texts {
                out.extend(texts.iter().map(|text| Example {
                    subject: String::new(),
                    body: text.clone(),
                    lang: lang.clone(),
                    gold: map.label(source, &fields, &words(text)),
                    source: "seed".to_owned(),
                    weight,
                }));
            }
        }
        Ok(out)
    }

    /// A copy of an example with a greeting before and a closing after it, as tickets have them and public
    /// sets do not: it teaches every head that they mean nothing.
    #[must_use]
    pub fn wrapped(&self, example: &Example, rng: &mut Rng) -> Option<Example> {
        let lang = if example.lang.is_empty() { "en" } else { &example.lang };
        let wrap = self.wraps.iter().find(|w| w.lang == lang)?;
        let pick = |list: &[String], rng: &mut Rng| {
            list.get(rng.below(list.len().max(1))).cloned().unwrap_or_default()
        };
        let (before, after) = (pick(&wrap.before, rng), pick(&wrap.after, rng));
        Some(Example { body: format!("{before}\n{}\n{after}", example.body), ..example.clone() })
    }
}
