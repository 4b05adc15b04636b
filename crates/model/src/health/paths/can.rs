//! Answers of three values: yes, no with its reason, and a doubt that hides no certain no.

use super::super::picture::Reading;
use super::super::{Doubt, listed, partly};
use super::PathState;
use crate::routes::Table;

/// Whether a path can carry a prefix in one direction.
pub(super) enum Can {
    Yes,
    No(String),
    Unknown(Doubt),
}

impl Can {
    pub(super) fn and(self, next: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Yes => next(),
            // A later No is certain whatever the earlier doubt.
            Self::Unknown(d) => match next() {
                Self::No(why) => Self::No(why),
                Self::Yes | Self::Unknown(_) => Self::Unknown(d),
            },
            no @ Self::No(_) => no,
        }
    }
    pub(super) fn state(&self) -> PathState {
        match self {
            Self::Yes => PathState::Up,
            Self::No(_) => PathState::Down,
            Self::Unknown(_) => PathState::Unknown,
        }
    }
    pub(super) fn why(&self) -> Option<String> {
        match self {
            Self::Yes => None,
            Self::No(why) => Some(why.clone()),
            Self::Unknown(d) => Some(d.why.clone()),
        }
    }
}

/// A table's answer, or why there is none.
pub(super) fn ask<T>(what: &str, reading: &Reading<T>, f: impl FnOnce(&T) -> Can) -> Can {
    match reading {
        Reading::Read(t) => f(t),
        Reading::Outdated(_) => Can::Unknown(Doubt {
            why: format!("{what} is being read again"),
            waiting: true,
        }),
        Reading::Unknown(why) | Reading::NotOffered(why) => {
            Can::Unknown(Doubt::new(format!("{what}: {why}")))
        }
    }
}

/// As [`ask`]; what a table lacks that is not whole may stand in a row that nobody understood.
pub(super) fn ask_table(
    what: &str,
    reading: &Reading<Table>,
    f: impl FnOnce(&Table) -> Can,
) -> Can {
    ask(what, reading, |t| match f(t) {
        Can::No(_) if !t.is_whole() => Can::Unknown(Doubt::new(partly(what))),
        answer => answer,
    })
}

pub(super) fn any_of(all: Vec<Can>) -> Can {
    let (mut no, mut doubt) = (Vec::new(), None);
    for c in all {
        match c {
            Can::Yes => return Can::Yes,
            Can::No(why) => no.push(why),
            Can::Unknown(d) => doubt = doubt.or(Some(d)),
        }
    }
    doubt.map_or_else(|| Can::No(listed(&no)), Can::Unknown)
}

pub(super) fn all_of(all: Vec<Can>) -> Can {
    let (mut no, mut doubt) = (Vec::new(), None);
    for c in all {
        match c {
            Can::Yes => {}
            Can::No(why) => no.push(why),
            Can::Unknown(d) => doubt = doubt.or(Some(d)),
        }
    }
    if !no.is_empty() {
        return Can::No(listed(&no));
    }
    doubt.map_or(Can::Yes, Can::Unknown)
}
