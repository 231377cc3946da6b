//! Says what is being done: a spinner or byte bar on a terminal, plain lines otherwise.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Where progress goes. Cheap to clone; several tasks may run at once.
#[derive(Clone, Debug)]
pub struct Progress(Mode);

#[derive(Clone, Debug)]
enum Mode {
    Silent,
    Lines,
    Terminal(MultiProgress),
}

impl Progress {
    /// Bars if standard error is a terminal, lines otherwise.
    pub fn auto() -> Self {
        if io::stderr().is_terminal() {
            Self(Mode::Terminal(MultiProgress::new()))
        } else {
            Self(Mode::Lines)
        }
    }

    /// Says nothing: for tests.
    pub fn silent() -> Self {
        Self(Mode::Silent)
    }

    /// Begins a task; end it with [`Task::done`]. A task that is dropped without it is wiped from a terminal,
    /// since the error that follows says what happened.
    pub fn task(&self, label: impl Into<String>) -> Task {
        let label = label.into();
        let bar = match &self.0 {
            Mode::Silent => None,
            Mode::Lines => {
                line(&format!("  {label} ..."));
                None
            }
            Mode::Terminal(bars) => {
                let bar = bars.add(ProgressBar::new_spinner());
                bar.set_style(style("{spinner} {msg} {elapsed}"));
                bar.set_message(label.clone());
                bar.enable_steady_tick(Duration::from_millis(120));
                Some(bar)
            }
        };
        Task { progress: self.clone(), label, bar, started: Instant::now() }
    }

    /// One line that stays.
    pub fn say(&self, text: &str) {
        match &self.0 {
            Mode::Silent => {}
            Mode::Lines => line(text),
            Mode::Terminal(bars) => {
                // Printing fails only if the terminal is gone.
                let _ = bars.println(text);
            }
        }
    }
}

/// One thing being done.
#[derive(Debug)]
pub struct Task {
    progress: Progress,
    label: String,
    bar: Option<ProgressBar>,
    started: Instant,
}

impl Task {
    /// Turns the spinner into a bar over `total` bytes.
    pub fn bytes(&self, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_style(style("{spinner} {msg} [{bar:28}] {bytes}/{total_bytes} {eta}"));
            bar.set_length(total);
        }
    }

    /// Counts bytes done.
    pub fn advance(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }

    /// Ends the task with what came of it.
    pub fn done(self, result: &str) {
        let took = self.started.elapsed().as_secs_f32();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.progress.say(&format!("  {}: {result} ({took:.1} s)", self.label));
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn line(text: &str) {
    // Nobody reads progress from a closed standard error.
    let _ = writeln!(io::stderr(), "{text}");
}
