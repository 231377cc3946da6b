//! `deskstream eval redact`: measures redaction, ours or anyone's, on span-labelled text.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::Context as _;
use deskstream_redact::{
    PiiKind, Policy, RedactConfig, Redacted, Redactor, VERSION,
    eval::{
        Evaluation, Label, Mistake, Prediction, Ratios, Record, Report, SHIPPED_TYPE_MAP, Scores, TypeMap,
        in_code_points,
    },
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Measure redaction on span-labelled text: precision, recall, F1, F2 by type and by character, and confusions.
///
/// Reads JSON lines of `id`, `text` and `spans` with `start`, `end` (Unicode code points) and `type`; see
/// docs/redaction-eval.md. Text is shown only on request.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Labelled JSON lines.
    #[arg(long, num_args = 1.., value_name = "FILE", required = true)]
    data: Vec<PathBuf>,

    /// Measure these predictions (JSON lines of `id` and `spans`) in place of our own redactor's.
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,

    /// Write our own predictions to this file.
    #[arg(long, value_name = "FILE", conflicts_with = "predictions")]
    write_predictions: Option<PathBuf>,

    /// What types are called (TOML), in place of the built-in names.
    #[arg(long, value_name = "FILE")]
    type_map: Option<PathBuf>,

    /// Don't look for people, organisations, places and free-form addresses.
    #[arg(long)]
    no_names: bool,

    /// Look for the kinds, too, that are off unless a policy asks for them: ages, dates, titles, nationalities, web
    /// addresses.
    #[arg(long, conflicts_with = "predictions")]
    all_kinds: bool,

    /// Findings that score below this don't count, 0 to 1.
    #[arg(long, value_name = "SCORE", conflicts_with = "predictions")]
    min_score: Option<f32>,

    /// List this many mistakes: record, offsets and types.
    #[arg(long, value_name = "N", default_value_t = 0)]
    errors: usize,

    /// Show the text of the mistakes listed. It is personal data.
    #[arg(long)]
    show_text: bool,

    /// Print the whole report as JSON.
    #[arg(long)]
    json: bool,
}

/// A report and how fast it came about.
#[derive(Serialize)]
struct Measured {
    #[serde(flatten)]
    report: Report,
    /// `None` if predictions came from a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<Speed>,
    redactor: &'static str,
}

#[derive(Serialize)]
struct Speed {
    seconds: f64,
    texts_per_second: f64,
    megabytes_per_second: f64,
}

/// Runs the command.
///
/// # Errors
/// If a file can't be read or written, a line is malformed, or predictions are for other records.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let map: TypeMap = match &args.type_map {
        None => toml::from_str(SHIPPED_TYPE_MAP).context("reading the built-in type map")?,
        Some(path) => {
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("reading type map {}", path.display()))?;
            toml::from_str(&text).with_context(|| format!("reading type map {}", path.display()))?
        }
    };
    let mut records: Vec<Record> = Vec::new();
    for path in &args.data {
        let first = records.len();
        read_lines(path, &mut records)?;
        for (number, record) in records[first..].iter_mut().enumerate() {
            if record.id.is_empty() {
                record.id = format!("{}:{}", path.display(), number + 1);
            }
        }
    }
    anyhow::ensure!(!records.is_empty(), "nothing to measure: the files hold no record");
    let (predictions, speed) = match &args.predictions {
        Some(path) => (from_file(path, &records)?, None),
        None => {
            let (predictions, speed) = ours(args, &records)?;
            (predictions, Some(speed))
        }
    };
    let mut evaluation = Evaluation::new(&map, args.errors);
    for (record, predicted) in records.iter().zip(&predictions) {
        evaluation.add(record, predicted)?;
    }
    let measured = Measured { report: evaluation.finish(), speed, redactor: VERSION };
    answer(io::stdout().lock(), &measured, args.json, args.show_text.then_some(&records[..]))
}

fn answer(out: impl Write, measured: &Measured, json: bool, texts: Option<&[Record]>) -> anyhow::Result<()> {
    let mut out = BufWriter::new(out);
    let written = if json {
        serde_json::to_string_pretty(measured)
            .map_err(io::Error::from)
            .and_then(|json| writeln!(out, "{json}"))
    } else {
        write_report(&mut out, measured, texts)
    };
    match written.and_then(|()| out.flush()) {
        // Whoever reads has seen enough, as `| head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("writing the report"),
    }
}

fn read_lines<T: DeserializeOwned>(path: &Path, into: &mut Vec<T>) -> anyhow::Result<()> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("opening {name}"))?;
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.with_context(|| format!("reading line {} of {name}", number + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        // The parser's words may quote the line; where it stumbled is enough to find it.
        let item = serde_json::from_str(&line).map_err(|error| {
            anyhow::anyhow!(
                "line {} of {name}, column {}: expected a JSON object in the format of docs/redaction-eval.md ({:?} error)",
                number + 1,
                error.column(),
                error.classify()
            )
        })?;
        into.push(item);
    }
    Ok(())
}

fn from_file(path: &Path, records: &[Record]) -> anyhow::Result<Vec<Vec<Label>>> {
    let mut lines: Vec<Prediction> = Vec::new();
    read_lines(path, &mut lines)?;
    let count = lines.len();
    let mut by_id: HashMap<String, Vec<Label>> =
        lines.into_iter().map(|line| (line.id, line.spans)).collect();
    anyhow::ensure!(by_id.len() == count, "{} has several lines of one record", path.display());
    let found: anyhow::Result<Vec<_>> = records
        .iter()
        .map(|record| {
            by_id.remove(&record.id).with_context(|| {
                format!("{} has no line for record `{}`: predict every record, with empty spans if nothing is found", path.display(), record.id)
            })
        })
        .collect();
    let found = found?;
    anyhow::ensure!(by_id.is_empty(), "{} has {} records that the data has not", path.display(), by_id.len());
    Ok(found)
}

fn ours(args: &Args, records: &[Record]) -> anyhow::Result<(Vec<Vec<Label>>, Speed)> {
    let default = RedactConfig::default();
    let optional = PiiKind::ALL.into_iter().filter(|kind| args.all_kinds && kind.is_optional());
    let config = RedactConfig {
        policies: optional.map(|kind| (kind, Policy::Mask)).collect(),
        min_score: args.min_score.unwrap_or(default.min_score),
        entities: !args.no_names,
        ..default
    };
    let redactor = Redactor::new(&config)?;
    let mut out = Redacted::default();
    let predictions: Vec<Vec<Label>> = records
        .iter()
        .map(|record| {
            redactor.redact(&record.text, &mut out);
            in_code_points(&record.text, &out.spans)
        })
        .collect();
    // Timed apart from the scorer's work, over as many rounds as make a clock's steps vanish.
    let (start, mut rounds) = (Instant::now(), 0_u32);
    while rounds == 0 || start.elapsed().as_millis() < 500 {
        for record in records {
            redactor.redact(&record.text, &mut out);
            std::hint::black_box(&out);
        }
        rounds += 1;
    }
    let seconds = start.elapsed().as_secs_f64() / f64::from(rounds);
    let bytes: usize = records.iter().map(|record| record.text.len()).sum();
    if let Some(path) = &args.write_predictions {
        let name = path.display();
        let mut file = BufWriter::new(File::create(path).with_context(|| format!("creating {name}"))?);
        for (record, spans) in records.iter().zip(&predictions) {
            let line = Prediction { id: record.id.clone(), spans: spans.clone() };
            serde_json::to_writer(&mut file, &line).with_context(|| format!("writing {name}"))?;
            writeln!(file).with_context(|| format!("writing {name}"))?;
        }
        file.flush().with_context(|| format!("writing {name}"))?;
    }
    let speed = Speed {
        seconds,
        texts_per_second: records.len() as f64 / seconds,
        megabytes_per_second: bytes as f64 / seconds / 1e6,
    };
    Ok((predictions, speed))
}

fn write_report(out: &mut impl Write, measured: &Measured, texts: Option<&[Record]>) -> io::Result<()> {
    let Measured { report, speed, redactor } = measured;
    let overall = &report.overall;
    writeln!(
        out,
        "{} texts, {} labels that count, {} predictions",
        overall.records, overall.spans.labelled, overall.spans.predicted
    )?;
    writeln!(out, "{:>42} {:>29}", "overlap", "exact")?;
    writeln!(
        out,
        "{:18} {:>6} {:>6}   P     R     F1    F2      P     R     F1    F2",
        "type", "labels", "pred."
    )?;
    let ratios = |r: &Ratios| format!("{:.3} {:.3} {:.3} {:.3}", r.precision, r.recall, r.f1, r.f2);
    let row = |name: &str, scores: &Scores| {
        let (overlap, exact) = (ratios(&scores.overlap), ratios(&scores.exact));
        format!("{name:18} {:>6} {:>6}  {overlap}   {exact}", scores.labelled, scores.predicted)
    };
    for kind in &report.types {
        writeln!(out, "{}", row(&kind.name, &kind.scores))?;
    }
    writeln!(out, "{}", row("all", &overall.spans))?;
    writeln!(out, "{:32}  {}", "overlap, whatever the type", ratios(&overall.any_type))?;
    writeln!(out, "{:32}  {}", "characters, whatever the type", ratios(&overall.characters))?;
    writeln!(
        out,
        "{} false marks; {} of {} texts without labels are marked",
        overall.false_marks, overall.clean_records_marked, overall.clean_records
    )?;
    if let Some(speed) = speed {
        writeln!(
            out,
            "{:.0} texts/s, {:.1} MB/s, one thread, {redactor}{}",
            speed.texts_per_second,
            speed.megabytes_per_second,
            if cfg!(debug_assertions) { " (debug build: measure with a release build)" } else { "" }
        )?;
    }
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "nothing".to_owned());
    if !report.confusion.is_empty() {
        writeln!(out, "\nlabelled → predicted")?;
        for entry in report.confusion.iter().take(20) {
            writeln!(out, "{:>6}  {} → {}", entry.count, name(&entry.expected), name(&entry.predicted))?;
        }
    }
    if !report.unknown_types.is_empty() {
        writeln!(out, "\ntypes that the type map doesn't have, not counted: {:?}", report.unknown_types)?;
    }
    if !report.mistakes.is_empty() {
        writeln!(out)?;
    }
    for mistake in &report.mistakes {
        let Mistake { id, start, end, expected, predicted } = mistake;
        write!(out, "{id} {start}..{end} {} → {}", name(expected), name(predicted))?;
        match texts.and_then(|records| records.iter().find(|record| record.id == *id)) {
            Some(record) => {
                let text: String = record.text.chars().skip(*start).take(end - start).collect();
                writeln!(out, "  {text:?}")?;
            }
            None => writeln!(out)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a few bytes, then is gone.
    struct Closed(usize);

    impl Write for Closed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(ErrorKind::BrokenPipe.into());
            }
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_error_of_ours() {
        let map: TypeMap = toml::from_str(SHIPPED_TYPE_MAP).unwrap();
        let record: Record = serde_json::from_str(
            r#"{"id": "1", "text": "Ana", "spans": [{"start": 0, "end": 3, "type": "PERSON"}]}"#,
        )
        .unwrap();
        let mut evaluation = Evaluation::new(&map, 1);
        evaluation.add(&record, &[]).unwrap();
        let measured = Measured { report: evaluation.finish(), speed: None, redactor: VERSION };
        for bytes in [0, 10, 300] {
            answer(Closed(bytes), &measured, false, None).unwrap();
            answer(Closed(bytes), &measured, true, None).unwrap();
        }
        let mut whole = Vec::new();
        answer(&mut whole, &measured, false, None).unwrap();
        assert!(String::from_utf8(whole).unwrap().contains("PERSON → nothing"));
    }
}
