//! `deskstream redact`: tries redaction on one's own text, explains each finding, and measures speed.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use deskstream_redact::{PiiKind, Policy, PseudonymKey, RedactConfig, Redacted, Redactor, Span, VERSION};
use serde::Serialize;

/// Redact text: print it without personal data and secrets, or print where they stand.
///
/// Each line is one text, so that findings have offsets within their line; --whole takes a file as one text.
/// Nothing leaves this machine, and the values found are never printed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files to read; standard input if none is given, or for `-`.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Print one JSON object per text: redacted text and spans (byte offsets into the original).
    #[arg(long)]
    json: bool,

    /// Say for each finding which detector made it, how sure it is and what the value had to pass.
    #[arg(long)]
    explain: bool,

    /// Take each file as one text rather than each of its lines.
    #[arg(long)]
    whole: bool,

    /// Measure speed instead of printing, on the input, or on generated tickets if stdin is a terminal.
    #[arg(long, conflicts_with_all = ["json", "explain"])]
    bench: bool,

    /// Regions whose national phone formats are known (ISO 3166: US,DE,…), in place of the default ones.
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    phone_regions: Option<Vec<String>>,

    /// Don't look for people, organisations, places and free-form addresses: only what has a form of its own.
    #[arg(long)]
    no_names: bool,

    /// Use this redaction policy (see `deskstream policy check`) in place of the flags below. Pseudonyms and hashes
    /// are made with a key for this run only.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["phone_regions", "min_score", "partial", "keep", "off"])]
    policy: Option<PathBuf>,

    /// Drop findings that score below this, 0 to 1.
    #[arg(long, value_name = "SCORE")]
    min_score: Option<f32>,

    /// Show the last four characters of these kinds (PAYMENT_CARD,IBAN,…).
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    partial: Vec<PiiKind>,

    /// Find these kinds, but leave them in the text.
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    keep: Vec<PiiKind>,

    /// Don't look for these kinds.
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    off: Vec<PiiKind>,
}

/// Runs the command.
///
/// # Errors
/// If settings are invalid, or a file can't be read, isn't UTF-8, or stdout can't be written.
#[allow(clippy::needless_pass_by_value, reason = "a command owns its arguments")]
pub fn run(args: Args) -> anyhow::Result<()> {
    let redactor = redactor(&args)?;
    if args.bench {
        return bench(&redactor, &args);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let mut redacted = Redacted::default();
    let result = for_each_text(&args, |text, line_end| {
        redactor.redact(text, &mut redacted);
        print(&mut out, &args, &redactor, &redacted, line_end)?;
        Ok(())
    })
    .and_then(|()| Ok(out.flush()?));
    match result {
        // `deskstream redact … | head` is no error.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

fn redactor(args: &Args) -> anyhow::Result<Redactor> {
    let config = match &args.policy {
        Some(file) => {
            let policy = super::policy::load(file)?;
            RedactConfig { entities: policy.entities && !args.no_names, ..policy }
        }
        None => config(args),
    };
    Ok(Redactor::with_key(&config, &PseudonymKey::new(rand::random()))?)
}

fn config(args: &Args) -> RedactConfig {
    let default = RedactConfig::default();
    let lists = [(Policy::Partial, &args.partial), (Policy::Keep, &args.keep), (Policy::Off, &args.off)];
    RedactConfig {
        policies: lists
            .into_iter()
            .flat_map(|(policy, kinds)| kinds.iter().map(move |&kind| (kind, policy)))
            .collect(),
        phone_regions: args.phone_regions.clone().unwrap_or(default.phone_regions),
        entities: !args.no_names,
        min_score: args.min_score.unwrap_or(default.min_score),
        ..default
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// One text in `--json`.
#[derive(Serialize)]
struct Line<'a> {
    text: &'a str,
    spans: Vec<Explained<'a>>,
    version: &'static str,
}

#[derive(Serialize)]
struct Explained<'a> {
    #[serde(flatten)]
    span: &'a Span,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validator: Option<&'static str>,
}

fn print(
    out: &mut impl Write,
    args: &Args,
    redactor: &Redactor,
    redacted: &Redacted,
    line_end: &str,
) -> anyhow::Result<()> {
    if args.json {
        let spans = redacted.spans.iter();
        let spans = spans.map(|span| Explained {
            span,
            pattern: redactor.pattern_name(span),
            validator: args.explain.then(|| span.detector.validator()),
        });
        let line = Line { text: &redacted.text, spans: spans.collect(), version: VERSION };
        serde_json::to_writer(&mut *out, &line)?;
        writeln!(out)?;
        return Ok(());
    }
    write!(out, "{}{line_end}", redacted.text)?;
    if args.explain {
        if !redacted.spans.is_empty() && !redacted.text.ends_with('\n') && line_end.is_empty() {
            writeln!(out)?;
        }
        for span in &redacted.spans {
            let Span { start, end, kind, detector, score } = span;
            let name = redactor.pattern_name(span).map(|name| format!(" {name}")).unwrap_or_default();
            let validator = detector.validator();
            writeln!(out, "  {start}..{end} {kind} by {detector}{name}, {score:.2}: {validator}")?;
        }
    }
    Ok(())
}

/// Calls `each` with every text and what ended it.
fn for_each_text(args: &Args, mut each: impl FnMut(&str, &str) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let stdin = [PathBuf::from("-")];
    let files = if args.files.is_empty() { &stdin[..] } else { &args.files[..] };
    for path in files {
        let name = if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() };
        let mut reader: Box<dyn BufRead> = if is_stdin(path) {
            Box::new(BufReader::new(io::stdin()))
        } else {
            Box::new(BufReader::new(File::open(path).with_context(|| format!("opening {name}"))?))
        };
        let mut text = String::new();
        if args.whole {
            reader.read_to_string(&mut text).with_context(|| format!("reading {name}"))?;
            each(&text, "")?;
            continue;
        }
        for number in 1_u64.. {
            text.clear();
            let read = reader.read_line(&mut text);
            if read.with_context(|| format!("reading line {number} of {name}"))? == 0 {
                break;
            }
            let line = text.strip_suffix('\n').unwrap_or(&text);
            let line = line.strip_suffix('\r').unwrap_or(line);
            each(line, &text[line.len()..])?;
        }
    }
    Ok(())
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// How long texts are redacted over and over.
const BENCH: Duration = Duration::from_secs(3);

/// Rounds in which each text is timed by itself.
const LATENCY_ROUNDS: usize = 5;

fn bench(redactor: &Redactor, args: &Args) -> anyhow::Result<()> {
    use std::io::IsTerminal as _;

    let mut texts: Vec<String> = Vec::new();
    let source = if args.files.is_empty() && io::stdin().is_terminal() {
        texts = sample();
        "generated 1 KiB tickets, every second one with personal data"
    } else {
        for_each_text(args, |text, _| {
            texts.push(text.to_owned());
            Ok(())
        })?;
        "the input"
    };
    let bytes: usize = texts.iter().map(String::len).sum();
    anyhow::ensure!(
        bytes > 0,
        "nothing to measure: the input is empty, leave it out to use generated tickets"
    );

    let mut out = Redacted::default();
    let (mut spans, mut tokens, mut tagged) = (0_usize, 0_usize, 0_usize);
    for text in &texts {
        redactor.redact(text, &mut out);
        spans += out.spans.len();
        tokens += out.reach.tokens;
        tagged += out.reach.tagged;
    }
    let (start, mut rounds) = (Instant::now(), 0_u32);
    while start.elapsed() < BENCH {
        for text in &texts {
            redactor.redact(text, &mut out);
            std::hint::black_box(&out);
        }
        rounds += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    let (count, rounds) = (texts.len() as f64, f64::from(rounds));
    println!("{source}: {} texts, {bytes} bytes, {spans} findings; one thread, {}", texts.len(), VERSION);
    println!("{:>12.1} MB/s", bytes as f64 * rounds / seconds / 1e6);
    println!("{:>12.0} ns per text", seconds * 1e9 / (count * rounds));
    println!("{:>12.0} texts/s", count * rounds / seconds);
    // Rounds of their own: looking at the clock costs as much as a short text.
    let mut times: Vec<u128> = Vec::with_capacity(texts.len() * LATENCY_ROUNDS);
    for text in texts.iter().cycle().take(texts.len() * LATENCY_ROUNDS) {
        let began = Instant::now();
        redactor.redact(text, &mut out);
        times.push(began.elapsed().as_nanos());
    }
    times.sort_unstable();
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        let at = ((times.len() as f64 * part) as usize).min(times.len() - 1);
        println!("{:>12} ns {name} of a text", times[at]);
    }
    if tokens > 0 {
        println!("{:>12.1} % of the words reach the model of names", tagged as f64 * 100.0 / tokens as f64);
    }
    if cfg!(debug_assertions) {
        println!("this is a debug build: measure with `cargo run --release`");
    }
    Ok(())
}

/// Tickets of one KiB; none is like the next, so that no branch predictor learns them by heart.
fn sample() -> Vec<String> {
    const PROSE: &[&str] = &[
        "Since the last update the export button does nothing when I click on it. ",
        "I have tried two browsers and another computer, always with the same result. ",
        "My colleagues in the other office see the same, so that we can't close the month. ",
        "Could you tell us whether we should wait or use the old report instead? ",
        "The page loads for a while, then shows error 503 and nothing is downloaded. ",
        "We are on version 4.2.1 since 2024-03-01 and ordered 12 more seats last week. ",
        "Guten Tag, die Rechnung 2024-00123 ist seit gestern nicht mehr abrufbar. ",
    ];
    const PERSONAL: &[&str] = &[
        "Call me at +1 415 555 2671 or write to jane.doe@example.com. ",
        "I paid with 4111 1111 1111 1111, the refund goes to DE89 3704 0044 0532 0130 00. ",
        "It happened from 203.0.113.77, my password: Tr0ub4dor3 may be lost. ",
        "Telefon 030 1234567, geboren am 12.03.1985. ",
    ];
    (0..1000_usize)
        .map(|i| {
            let mut text = format!("Ticket {i}: ");
            let mut next = i;
            while text.len() < 1024 {
                text.push_str(PROSE[next % PROSE.len()]);
                if i % 2 == 0 && next % 6 == 0 {
                    text.push_str(PERSONAL[next / 6 % PERSONAL.len()]);
                }
                next += 1 + i % 3;
            }
            let cut = text.floor_char_boundary(1024);
            text.truncate(cut);
            text
        })
        .collect()
}
