//! `deskstream import`: tickets from a file.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::options::ConfigOptions;
use anyhow::Context as _;
use deskstream_connectors::file::{self, Format, ImportOptions, Mapping, Progress, Summary};
use deskstream_connectors::kafka::Sinks;
use deskstream_runtime::Process;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::time::Duration;

/// What was handed to Kafka may take so long to be acknowledged at the end.
const FLUSH: Duration = Duration::from_secs(10);

/// Import tickets from CSV, JSON lines or a Zendesk JSON export.
///
/// Columns are recognised by common names; --map or --mapping says it where they are not. Rows that can't be used
/// go to the dead letter topic with their line number. An import that was broken off goes on where it stopped, and
/// a file that was imported before is not imported twice.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigOptions,

    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The tenant that gets the tickets.
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    tenant: String,

    /// The format; judged by the file if not given.
    #[arg(long, value_enum)]
    format: Option<FileFormat>,

    /// Which column is what: --map subject=Title --map body="What happened".
    #[arg(long, value_name = "FIELD=COLUMN", value_parser = pair)]
    map: Vec<(String, String)>,

    /// A TOML file of such pairs: subject = "Title".
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,

    /// Import a file again that was imported before; its events keep their ids.
    #[arg(long)]
    again: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum FileFormat {
    /// Comma-, semicolon- or tab-separated, with a header line.
    Csv,
    /// One JSON object a line, or a list of them.
    Jsonl,
    /// Tickets as Zendesk's API gives them.
    Zendesk,
}

impl From<FileFormat> for Format {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::Csv => Self::Csv,
            FileFormat::Jsonl => Self::Jsonl,
            FileFormat::Zendesk => Self::Zendesk,
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (field, column) = text.split_once('=').ok_or("write FIELD=COLUMN, e.g. subject=Title")?;
    Ok((field.trim().to_owned(), column.trim().to_owned()))
}

/// As the configuration wants tenants: the id becomes part of record keys.
fn tenant(text: &str) -> Result<String, String> {
    let plain = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if plain && (1..=63).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err("use up to 63 lower-case letters, digits and dashes".to_owned())
    }
}

/// Imports the file and tells what came of it.
pub async fn run(args: Args, process: Process) -> anyhow::Result<()> {
    let mut mapping = match &args.mapping {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
            Mapping::from_toml(&text)?
        }
        None => Mapping::default(),
    };
    let flags = args.map.iter().map(|(field, column)| (field.as_str(), column.as_str()));
    mapping = mapping.with(Mapping::new(flags)?);

    let bar = ProgressBar::new(0).with_style(style());
    bar.enable_steady_tick(Duration::from_millis(200));
    let sinks = Sinks::start(&process, "import").await?;
    let options = ImportOptions {
        path: args.file.clone(),
        tenant: args.tenant.clone(),
        format: args.format.map(Format::from),
        mapping,
        again: args.again,
    };
    let imported = file::import(&process, &sinks, options, |progress| show(&bar, progress)).await;
    bar.finish_and_clear();
    sinks.flush(FLUSH).await;
    report(&args, &imported?);
    Ok(())
}

fn style() -> ProgressStyle {
    let template = "{bytes}/{total_bytes} [{wide_bar}] {bytes_per_sec}, {msg}, {eta} left";
    ProgressStyle::with_template(template)
        .expect("the template is a constant that a run has shown to be right")
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.of);
    bar.set_position(progress.bytes);
    let refused = match progress.refused {
        0 => String::new(),
        refused => format!(", {} refused", HumanCount(refused)),
    };
    bar.set_message(format!("{} rows{refused}", HumanCount(progress.rows)));
}

fn report(args: &Args, summary: &Summary) {
    let name = args.file.display();
    if summary.nothing_to_do {
        println!(
            "{name} was imported before ({} rows): nothing to do; --again imports it again",
            summary.before
        );
        return;
    }
    for line in &summary.mapping {
        println!("  {line}");
    }
    let seconds = summary.elapsed.as_secs_f64().max(0.001);
    let rows = summary.taken + summary.refused_rows();
    println!(
        "{name}: {} tickets imported for {} in {seconds:.1} s ({:.0} rows/s)",
        HumanCount(summary.taken),
        args.tenant,
        rows as f64 / seconds
    );
    if summary.before > 0 {
        println!("  {} rows had been imported by an earlier run", HumanCount(summary.before));
    }
    if summary.refused_rows() > 0 {
        println!("  {} rows refused, kept in the dead letter topic:", HumanCount(summary.refused_rows()));
        for (reason, count) in &summary.refused {
            println!("    {reason}: {}", HumanCount(*count));
        }
        for (line, reason) in &summary.examples {
            println!("    line {line}: {reason}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn flags_are_read() {
        let line = ["import", "a.csv", "--tenant", "acme", "--map", "body=What happened", "--format", "csv"];
        let args = Command::try_parse_from(line).unwrap().args;
        assert_eq!(args.map, [("body".to_owned(), "What happened".to_owned())]);
        assert_eq!(args.format.map(Format::from), Some(Format::Csv));
    }

    #[test]
    fn a_tenant_that_would_break_keys_is_refused() {
        for tenant in ["", "Acme", "a/b", "*"] {
            assert!(Command::try_parse_from(["import", "a.csv", "--tenant", tenant]).is_err(), "{tenant}");
        }
    }

    #[test]
    fn the_bar_can_be_drawn() {
        let bar = ProgressBar::hidden().with_style(style());
        show(&bar, Progress { bytes: 1, of: 2, rows: 1, refused: 1 });
        assert_eq!(bar.length(), Some(2));
    }
}
