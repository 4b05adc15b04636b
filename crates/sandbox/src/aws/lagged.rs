//! An object as the provider knows it and as its reads show it: AWS reads are eventually consistent (aws.md §1.9,
//! §2.1), so a write shows only after a while. May not know any provider object.

use crate::time::SimTime;
use serde::{Deserialize, Serialize};

/// A value with what reads still show of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lagged<T> {
    current: T,
    previous: Option<T>,
    visible_at: SimTime,
}

impl<T: Clone> Lagged<T> {
    /// A value that reads do not show before `visible_at`.
    pub fn new(value: T, visible_at: SimTime) -> Self {
        Self {
            current: value,
            previous: None,
            visible_at,
        }
    }
    /// What a read at `at` shows; `None` when the value is too new to be shown.
    pub fn seen(&self, at: SimTime) -> Option<&T> {
        if at >= self.visible_at {
            Some(&self.current)
        } else {
            self.previous.as_ref()
        }
    }
    /// The true value.
    pub fn get(&self) -> &T {
        &self.current
    }
    /// A write that reads show from `visible_at` on.
    pub fn write(&mut self, now: SimTime, visible_at: SimTime, f: impl FnOnce(&mut T)) {
        self.previous = self.seen(now).cloned();
        self.visible_at = visible_at.max(self.visible_at);
        f(&mut self.current);
    }
    /// A change that the provider makes by itself: shown at once, unless an earlier write is not shown yet.
    pub fn settle(&mut self, now: SimTime, f: impl FnOnce(&mut T)) {
        self.write(now, now, f);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_value_is_not_shown_before_its_time() {
        let v = Lagged::new(1, SimTime(1000));
        assert_eq!(v.seen(SimTime(999)), None);
        assert_eq!(v.seen(SimTime(1000)), Some(&1));
    }

    #[test]
    fn a_write_shows_the_old_value_until_its_time_and_a_settled_change_waits_for_it() {
        let mut v = Lagged::new(1, SimTime(0));
        v.write(SimTime(10), SimTime(50), |x| *x = 2);
        assert_eq!(v.seen(SimTime(49)), Some(&1));
        v.settle(SimTime(20), |x| *x = 3);
        assert_eq!(v.seen(SimTime(49)), Some(&1));
        assert_eq!(v.seen(SimTime(50)), Some(&3));
        assert_eq!(*v.get(), 3);
    }
}
