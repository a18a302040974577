//! How long a request waits for a credential.

/// How long after the time of a call those who wait for it give up.
const MARGIN_MS: u64 = 1000;
/// How many calls a request waits for, one after the other. One is enough but
/// where a memory has lost an answer, or a clock was set back.
const MAX_ROUNDS: u32 = 3;

/// How long a request waits for a credential, in time and in calls. A clock
/// that was set back ends the wait, since nobody knows how long it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Since when it waits, in milliseconds since 1970.
    since_ms: u64,
    /// When the wait ends at the latest.
    deadline_ms: u64,
    rounds: u32,
}

impl Patience {
    /// Of a request that begins to wait for a call of this length.
    pub const fn new(now_ms: u64, timeout_ms: u64) -> Self {
        Self {
            since_ms: now_ms,
            deadline_ms: now_ms.saturating_add(timeout_ms).saturating_add(MARGIN_MS),
            rounds: 0,
        }
    }

    /// Since when it waits, in milliseconds since 1970.
    pub const fn since_ms(self) -> u64 {
        self.since_ms
    }

    /// Whether its time is up.
    pub const fn is_overdue(self, now_ms: u64) -> bool {
        now_ms >= self.deadline_ms || now_ms < self.since_ms
    }

    /// To wait for one call more; `None` where that would be too long.
    pub const fn one_more(self, now_ms: u64) -> Option<Self> {
        if self.is_overdue(now_ms) || self.rounds >= MAX_ROUNDS {
            return None;
        }
        Some(Self {
            rounds: self.rounds.saturating_add(1),
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_its_time_or_with_a_clock_that_was_set_back() {
        let patience = Patience::new(10_000, 5000);
        for (now_ms, is_overdue) in [
            (9_999, true),
            (10_000, false),
            (15_999, false),
            (16_000, true),
        ] {
            assert_eq!(patience.is_overdue(now_ms), is_overdue, "{now_ms}");
            assert_eq!(patience.one_more(now_ms).is_none(), is_overdue, "{now_ms}");
        }
    }

    #[test]
    fn nobody_waits_for_a_fourth_call() {
        let mut patience = Patience::new(10_000, 5000);
        for _ in 0..3 {
            patience = patience.one_more(10_001).unwrap();
        }
        assert_eq!(patience.one_more(10_001), None);
    }
}
