//! What the demo writes: whole lines, each with the time since the start, the same on a terminal and in a log.
//!
//! May write to standard output. No colours, no cursor movements: whatever reads it gets text.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

/// Where lines go.
#[derive(Clone, Copy, Debug)]
pub struct Say {
    started: Instant,
}

impl Say {
    /// Time counts from now.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// Since the start, in real time.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// A line without time.
    pub fn plain(&self, text: &str) {
        // Nobody reads any more: the end of the demo says so by its exit code.
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{text}");
        let _ = out.flush();
    }

    /// Lines of a table, set in from the left.
    pub fn block(&self, text: &str) {
        for line in text.lines() {
            self.plain(format!("    {line}").trim_end());
        }
    }

    /// A new part of the demo.
    pub fn heading(&self, text: &str) {
        self.plain("");
        self.plain(&format!("== {text} =="));
    }

    /// A line with the time: real, and simulated where it is known.
    pub fn at(&self, simulated: Option<Duration>, text: &str) {
        let simulated = simulated.map(clock).unwrap_or_default();
        self.plain(&format!(
            "{:>6} {simulated:>8}  {text}",
            minutes(self.elapsed())
        ));
    }
}

impl Default for Say {
    fn default() -> Self {
        Self::new()
    }
}

/// `1:05` for 65 seconds.
pub fn minutes(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

/// `1:01:05` for 3665 seconds.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!(
        "{}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// `40 s`, `12 min`, `2 h 05 min`: for sentences.
pub fn roughly(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// The text, cut to `width` characters.
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        let of = Duration::from_secs;
        assert_eq!(
            (minutes(of(65)), clock(of(3665))),
            ("1:05".into(), "1:01:05".into())
        );
        assert_eq!(
            [of(40), of(720), of(7500)].map(roughly),
            ["40 s", "12 min", "2 h 05 min"]
        );
        assert_eq!(
            (cut("abcdef", 4), cut("abcd", 4)),
            ("abc…".into(), "abcd".into())
        );
    }
}
