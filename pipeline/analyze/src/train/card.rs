//! The model card: what the model is, what it was made of, what it is worth.

use std::fmt::Write;

use super::{Config, TrainReport, label_map::LabelMap};
use crate::eval::{HeadReport, Report};

/// Writes the card. What has to be said about the labels comes from the label map's `notes`.
pub(super) fn write(
    config: &Config,
    map: &LabelMap,
    report: &TrainReport,
    version: &str,
    bytes: usize,
) -> String {
    let mut out = String::new();
    // writing to a String can't fail
    let _ = compose(&mut out, config, map, report, version, bytes);
    out
}

fn compose(
    out: &mut String,
    config: &Config,
    map: &LabelMap,
    report: &TrainReport,
    version: &str,
    bytes: usize,
) -> std::fmt::Result {
    writeln!(out, "# Model card: {version}\n")?;
    writeln!(
        out,
        "Written by `deskstream train`; do not edit. Linear models over hashed words, word pairs, and parts of \
         words ({} rows, int8, {:.1} MB; sliding character n-grams of {:?}, prefixes and suffixes of {:?} letters) \
         that read one redacted helpdesk ticket and answer, with a calibrated probability and an abstain \
         threshold: {}.\n",
        config.features.rows(),
        bytes as f64 / 1e6,
        config.features.char_ngrams,
        config.features.affixes,
        report.calibration.iter().map(|(h, ..)| format!("`{h}`")).collect::<Vec<_>>().join(", "),
    )?;
    writeln!(out, "Made by:\n\n```\n{}\n```\n", config.command)?;

    writeln!(out, "## What to know before using it\n")?;
    for note in map.notes() {
        writeln!(out, "- {note}")?;
    }

    writeln!(out, "\n## Training data\n")?;
    writeln!(
        out,
        "| set | train | dev | test | licence | citation |\n| --- | ---: | ---: | ---: | --- | --- |"
    )?;
    for (name, [train, dev, test]) in &report.data.sources {
        let source = map.sources().iter().find(|s| s.name == *name);
        let (licence, cite) = source.map_or(("yours", String::new()), |s| {
            let cite = if s.url.is_empty() { s.cite.clone() } else { format!("{} <{}>", s.cite, s.url) };
            (s.licence.as_str(), cite)
        });
        writeln!(out, "| {name} | {train} | {dev} | {test} | {licence} | {cite} |")?;
    }
    let leak = report.data.leakage;
    writeln!(
        out,
        "\nStratified split by set, language and labels, seed {}. Dropped from dev and test so that nothing \
         leaks: {} exact and {} near-duplicates (word-set Jaccard ≥ 0.8). {} texts repeat the words of another \
         with a different label. {} records had no label and were not used.\n",
        report.seed,
        leak.exact_duplicates_dropped,
        leak.near_duplicates_dropped,
        leak.conflicting_labels,
        report.data.unlabelled,
    )?;

    writeln!(out, "## On the held-out test split\n")?;
    if config.refit {
        writeln!(
            out,
            "Measured before the weights of this file were fitted, with the same settings and choices, to all of the data, \
             dev and test included. Temperatures and thresholds are those of dev.\n"
        )?;
    }
    summary_table(out, &report.test)?;
    writeln!(out, "\n| head | temperature | abstains below | chosen on dev |\n| --- | ---: | ---: | ---: |")?;
    for (head, temperature, threshold, taken) in &report.calibration {
        writeln!(out, "| {head} | {temperature:.2} | {threshold:.2} | {taken} |")?;
    }
    for head in &report.test.heads {
        class_table(out, head)?;
        charts(out, head)?;
    }
    if let Some(measured) = &report.measured {
        writeln!(out, "\n## On sets it was never trained on\n")?;
        writeln!(
            out,
            "Other domains, other annotators, often coarser labels (see `label_map.toml`: where a set's class \
             covers several of ours, any of them counts as right). This is closer to what to expect on your \
             tickets than the table above.\n"
        )?;
        summary_table(out, measured)?;
    }
    Ok(())
}

/// What measuring a finished model found.
pub(crate) fn measured(report: &Report) -> String {
    let mut out = format!("# {}: measured on {} labelled texts\n\n", report.model, report.texts);
    // writing to a String can't fail
    let _ = summary_table(&mut out, report);
    for head in &report.heads {
        let _ = class_table(&mut out, head);
        let _ = charts(&mut out, head);
    }
    out
}

fn charts(out: &mut String, head: &HeadReport) -> std::fmt::Result {
    let name = super::file_name(&head.head);
    writeln!(out, "\n![calibration](calibration-{name}.svg)\n![confusion](confusion-{name}.svg)")
}

fn summary_table(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        out,
        "| head | set | texts | accuracy | macro-F1 | majority: accuracy | macro-F1 | calibration error | answered | right when answered | order |"
    )?;
    writeln!(out, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")?;
    for head in &report.heads {
        let languages = head.by_language.iter().map(|(l, m)| (format!("language {l}"), m));
        let sources = head.by_source.iter().map(|(s, m)| (s.clone(), m)).filter(|_| head.by_source.len() > 1);
        let only = if head.by_source.len() == 1 { head.by_source.keys().next().cloned() } else { None };
        let overall = (only.map_or("**all**".to_owned(), |name| format!("**{name}**")), &head.overall);
        for (name, m) in std::iter::once(overall).chain(sources).chain(languages) {
            writeln!(
                out,
                "| {} | {name} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {:.2} | {:.3} | {} |",
                head.head,
                m.texts,
                m.accuracy,
                m.macro_f1,
                m.majority_accuracy,
                m.majority_macro_f1,
                m.calibration_error,
                m.answered,
                m.answered_accuracy,
                m.concordance.map_or(String::new(), |c| format!("{c:.3}")),
            )?;
        }
    }
    writeln!(
        out,
        "\nMacro-F1: mean over the labels that occur. Order: of two texts with different levels, how often the \
         higher is ranked higher; 0.5 is chance."
    )
}

fn class_table(out: &mut String, head: &HeadReport) -> std::fmt::Result {
    writeln!(out, "\n### {}\n", head.head)?;
    let names: Vec<&str> = head.overall.classes.iter().map(|c| c.label.as_str()).collect();
    writeln!(out, "| label | texts | precision | recall | F1 | taken for |")?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: | --- |")?;
    for (i, class) in head.overall.classes.iter().enumerate() {
        let mut mistakes: Vec<(u64, &str)> = head.overall.confusion[i]
            .iter()
            .zip(&names)
            .enumerate()
            .filter(|&(j, (&n, _))| j != i && n > 0)
            .map(|(_, (&n, &name))| (n, name))
            .collect();
        mistakes.sort_by_key(|m| std::cmp::Reverse(m.0));
        let mistakes: Vec<String> = mistakes.iter().take(3).map(|(n, name)| format!("{name} {n}")).collect();
        writeln!(
            out,
            "| {} | {} | {:.3} | {:.3} | {:.3} | {} |",
            class.label,
            class.support,
            class.precision,
            class.recall,
            class.f1,
            mistakes.join(", ")
        )?;
    }
    Ok(())
}
