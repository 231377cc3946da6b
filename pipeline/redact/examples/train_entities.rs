//! `deskstream train entities` without the rest of the product, which builds faster.
//!
//! `cargo run --release -p deskstream-redact --features train --example train_entities -- OUT GAZETTEER CLUSTERS
//! GENERATED EPOCHS BIAS ship|dev DATA... [-- MEASURE...]`
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use std::error::Error;
use std::path::Path;

use deskstream_redact::train::{Options, train};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut next = || {
        args.next()
            .ok_or("usage: OUT GAZETTEER CLUSTERS GENERATED EPOCHS BIAS ship|dev DATA... [-- MEASURE...]")
    };
    let (out, gazetteer, clusters) =
        (next()?, std::fs::read_to_string(next()?)?, std::fs::read_to_string(next()?)?);
    let (generated, epochs) = (next()?.parse()?, next()?.parse()?);
    let (bias, hold_out) = (next()?, next()? == "dev");
    let bias: Vec<f32> = bias.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let bias = bias.try_into().map_err(|_| "BIAS is four numbers with commas")?;
    let (mut data, mut measure, mut only) = (Vec::new(), Vec::new(), false);
    for path in args {
        if path == "--" {
            only = true;
            continue;
        }
        let file = Path::new(&path);
        let part = |p: Option<&std::ffi::OsStr>| p.unwrap_or_default().to_string_lossy().into_owned();
        let name = format!("{}/{}", part(file.parent().and_then(Path::file_name)), part(file.file_stem()));
        let source = (name, std::fs::read_to_string(file)?);
        if only { measure.push(source) } else { data.push(source) }
    }
    let trained =
        train(&Options { gazetteer, clusters, data, measure, generated, epochs, bias, hold_out, seed: 42 })?;
    std::fs::create_dir_all(&out)?;
    std::fs::write(Path::new(&out).join("entities.dse"), &trained.file)?;
    std::fs::write(Path::new(&out).join("entities-card.md"), &trained.card)?;
    println!("{}", trained.card);
    Ok(())
}
