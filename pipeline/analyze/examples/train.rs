//! Trains a model without the `deskstream` command: `cargo run --release -p deskstream-analyze --example train -- DATA OUT [MEASURE]`,
//! with DATA and MEASURE lists of paths separated by commas; `-- DATA OUT MEASURE COLUMNS` makes a model of label columns.
#![allow(clippy::print_stdout, reason = "a command line tool")]

use std::{error::Error, path::PathBuf};

use deskstream_analyze::train::{Config, train};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let paths = |list: Option<String>| -> Vec<PathBuf> {
        list.iter().flat_map(|l| l.split(',')).filter(|p| !p.is_empty()).map(PathBuf::from).collect()
    };
    let data = paths(args.next());
    let out = PathBuf::from(args.next().ok_or("usage: train DATA OUT [MEASURE]")?);
    let measure = paths(args.next());
    let columns: Vec<String> = args.next().iter().flat_map(|l| l.split(',')).map(str::to_owned).collect();
    let mut config =
        if columns.is_empty() { Config::new(data, 42) } else { Config::of_columns(data, columns, 42) };
    config.measure = measure;
    let list =
        |paths: &[PathBuf]| paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(" ");
    config.command = format!(
        "deskstream train --data {} --seed 42 --measure {} --out {}",
        list(&config.data),
        list(&config.measure),
        out.display()
    );
    let trained = train(&config, &mut |step| println!("{step:?}"))?;
    std::fs::create_dir_all(&out)?;
    std::fs::write(out.join("tickets.dsm"), &trained.model)?;
    std::fs::write(out.join("metrics.json"), &trained.metrics)?;
    std::fs::write(out.join("model-card.md"), &trained.card)?;
    println!("{}", trained.card);
    Ok(())
}
