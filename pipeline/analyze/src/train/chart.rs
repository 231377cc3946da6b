//! Charts of a measured head as SVG: how far confidence can be believed, and what is taken for what.

use std::fmt::Write;

use super::metrics::{Bin, Metrics};

/// Labels beyond this many are not written beside the matrix: they would lie over each other.
const MOST_NAMED: usize = 60;

/// A reliability diagram (DeGroot and Fienberg 1983): share of right answers by confidence, and how many answers there
/// were of each.
#[must_use]
pub fn calibration(title: &str, metrics: &Metrics) -> String {
    let mut out = String::new();
    // writing to a String can't fail
    let _ = draw_calibration(&mut out, title, metrics);
    out
}

/// A confusion matrix: right label by row, predicted by column, darker for a greater share of the row.
#[must_use]
pub fn confusion(title: &str, metrics: &Metrics) -> String {
    let mut out = String::new();
    let _ = draw_confusion(&mut out, title, metrics);
    out
}

const SIDE: f64 = 400.0;
const MARGIN: f64 = 56.0;

fn open(out: &mut String, width: f64, height: f64, title: &str) -> std::fmt::Result {
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\"><title>{0}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/><text x=\"{1:.0}\" y=\"24\" font-size=\"14\" text-anchor=\"middle\">{0}</text>",
        escape(title),
        width / 2.0,
    )
}

fn draw_calibration(out: &mut String, title: &str, metrics: &Metrics) -> std::fmt::Result {
    let (x, y) = (|p: f64| MARGIN + p * SIDE, |p: f64| MARGIN + (1.0 - p) * SIDE);
    open(out, SIDE + 2.0 * MARGIN, SIDE + 2.0 * MARGIN, title)?;
    let most = metrics.bins.iter().map(|b| b.texts).max().unwrap_or(0).max(1) as f64;
    for (i, bin) in metrics.bins.iter().enumerate() {
        let share = bin.texts as f64 / most;
        let width = 1.0 / metrics.bins.len() as f64;
        writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#dde3ea\"><title>{} answers</title></rect>",
            x(i as f64 * width),
            y(share * 0.3),
            width * SIDE - 1.0,
            share * 0.3 * SIDE,
            bin.texts,
        )?;
    }
    for tick in 0..=5 {
        let p = f64::from(tick) / 5.0;
        writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{p:.1}</text><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{p:.1}</text>",
            x(p),
            y(0.0) + 18.0,
            x(0.0) - 8.0,
            y(p) + 4.0,
        )?;
    }
    writeln!(
        out,
        "<rect x=\"{0:.0}\" y=\"{0:.0}\" width=\"{SIDE:.0}\" height=\"{SIDE:.0}\" fill=\"none\" stroke=\"#888\"/><line x1=\"{1:.1}\" y1=\"{2:.1}\" x2=\"{3:.1}\" y2=\"{4:.1}\" stroke=\"#888\" stroke-dasharray=\"4 4\"/>",
        MARGIN,
        x(0.0),
        y(0.0),
        x(1.0),
        y(1.0),
    )?;
    let known: Vec<&Bin> = metrics.bins.iter().filter(|b| b.texts > 0).collect();
    let points: Vec<String> =
        known.iter().map(|b| format!("{:.1},{:.1}", x(b.confidence), y(b.accuracy))).collect();
    writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f5fa8\" stroke-width=\"2\"/>",
        points.join(" ")
    )?;
    for bin in known {
        writeln!(
            out,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"#1f5fa8\"><title>confidence {:.3}, right {:.3}, {} answers</title></circle>",
            x(bin.confidence),
            y(bin.accuracy),
            bin.confidence,
            bin.accuracy,
            bin.texts,
        )?;
    }
    writeln!(
        out,
        "<text x=\"{0:.0}\" y=\"{1:.0}\" text-anchor=\"middle\">confidence (expected calibration error {2:.3})</text><text x=\"16\" y=\"{0:.0}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {0:.0})\">share of right answers</text>\n</svg>",
        MARGIN + SIDE / 2.0,
        SIDE + 2.0 * MARGIN - 12.0,
        metrics.calibration_error,
    )
}

fn draw_confusion(out: &mut String, title: &str, metrics: &Metrics) -> std::fmt::Result {
    let n = metrics.classes.len().max(1);
    let cell = (SIDE * 1.5 / n as f64).clamp(6.0, 28.0);
    let side = cell * n as f64;
    let named = n <= MOST_NAMED;
    let longest = metrics.classes.iter().map(|c| c.label.chars().count()).max().unwrap_or(0) as f64;
    let size = (cell * 0.75).clamp(6.0, 12.0);
    let left = if named { longest * size * 0.62 + 24.0 } else { 24.0 };
    let top = left.max(40.0) + 24.0;
    open(out, left + side + 24.0, top + side + 24.0, title)?;
    for (i, (class, row)) in metrics.classes.iter().zip(&metrics.confusion).enumerate() {
        let (at, label) = (cell * (i as f64 + 0.5), escape(&class.label));
        if named {
            writeln!(
                out,
                "<text font-size=\"{size:.1}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text><text font-size=\"{size:.1}\" transform=\"translate({:.1} {:.1}) rotate(-90)\">{label}</text>",
                left - 4.0,
                top + at + size * 0.35,
                left + at + size * 0.35,
                top - 4.0,
            )?;
        }
        for (j, &count) in row.iter().enumerate().filter(|&(_, &count)| count > 0) {
            let share = count as f64 / class.support.max(1) as f64;
            let fill = if i == j { "#1f5fa8" } else { "#b3261e" };
            writeln!(
                out,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{cell:.1}\" height=\"{cell:.1}\" fill=\"{fill}\" fill-opacity=\"{:.2}\"><title>{label} taken for {}: {count}</title></rect>",
                left + cell * j as f64,
                top + cell * i as f64,
                0.08 + 0.92 * share,
                escape(&metrics.classes[j].label),
            )?;
        }
    }
    writeln!(
        out,
        "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{side:.1}\" height=\"{side:.1}\" fill=\"none\" stroke=\"#888\"/>\n</svg>"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::metrics::Judged;

    fn measured(labels: &[&str]) -> Metrics {
        let labels: Vec<String> = labels.iter().map(|l| (*l).to_owned()).collect();
        let judged = [(0, vec![0.9, 0.1]), (0, vec![0.3, 0.7]), (1, vec![0.2, 0.8])];
        let judged = judged.map(|(gold, probabilities)| Judged { gold: vec![gold], probabilities });
        Metrics::measure(&judged, &labels, false, 0.5)
    }

    #[test]
    fn charts_hold_every_bin_and_every_mistake() {
        let metrics = measured(&["yes", "no"]);
        let chart = calibration("head", &metrics);
        assert_eq!(chart.matches("<circle").count(), 3);
        assert!(chart.contains("confidence 0.900, right 1.000, 1 answers"), "{chart}");
        let chart = confusion("head", &metrics);
        assert!(chart.contains("yes taken for no: 1") && !chart.contains("no taken for yes"), "{chart}");
    }

    #[test]
    fn labels_are_text_and_never_markup() {
        let chart = confusion("a & b", &measured(&["<script>", "\"x\""]));
        assert!(chart.contains("&lt;script&gt;") && !chart.contains("<script"), "{chart}");
        assert!(chart.contains("a &amp; b"));
    }
}
