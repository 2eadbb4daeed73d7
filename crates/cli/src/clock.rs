//! The wall clock.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use overnight_ports::clock::{Clock, Times};

/// How long one sleep lasts at most: a machine that slept through a deadline, or a clock that was set, is noticed
/// after this.
const NAP: Duration = Duration::from_secs(30);

/// The system's clock.
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> u64 {
        let real = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_millis() as u64);
        #[cfg(debug_assertions)]
        let real = fast::passed(real);
        real
    }

    fn times(&self) -> Times {
        static BEGUN: OnceLock<Instant> = OnceLock::new();
        let begun = *BEGUN.get_or_init(Instant::now);
        let wall = self.now();
        #[cfg(debug_assertions)]
        if fast::is_chosen() {
            // Nothing counts as fast as this wall clock runs.
            return Times {
                wall,
                counted: wall,
            };
        }
        Times {
            wall,
            counted: begun.elapsed().as_millis() as u64,
        }
    }

    async fn sleep_until(&self, until: u64) {
        loop {
            let left = until.saturating_sub(self.now());
            if left == 0 {
                return;
            }
            #[cfg(debug_assertions)]
            let left = fast::slept(left);
            tokio::time::sleep(Duration::from_millis(left).min(NAP)).await;
        }
    }
}

/// A clock that runs faster, in builds with debug assertions only: tests play a whole night in a minute. Every process
/// that is given the same setting has the same time.
#[cfg(debug_assertions)]
mod fast {
    use std::sync::OnceLock;

    /// `SPEED@ORIGIN`: from ORIGIN on (Unix milliseconds) time passes SPEED times as fast.
    const CLOCK: &str = "OVERNIGHT_FAULT_CLOCK";

    fn chosen() -> Option<(u64, u64)> {
        static CHOSEN: OnceLock<Option<(u64, u64)>> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let text = std::env::var(CLOCK).ok()?;
            let (speed, origin) = text.split_once('@')?;
            let speed = speed.parse().ok().filter(|speed| *speed > 0)?;
            Some((speed, origin.parse().ok()?))
        })
    }

    /// Whether time passes faster here.
    pub fn is_chosen() -> bool {
        chosen().is_some()
    }

    /// What time it is when the real one is this.
    pub fn passed(real: u64) -> u64 {
        match chosen() {
            Some((speed, origin)) if real > origin => {
                origin.saturating_add((real - origin).saturating_mul(speed))
            }
            _ => real,
        }
    }

    /// How long so much time takes, and a little more.
    pub fn slept(ms: u64) -> u64 {
        chosen().map_or(ms, |(speed, _)| ms / speed + 1)
    }
}

/// A time as people read it: local, to the second.
pub fn local_time(ms: u64) -> String {
    match jiff::Timestamp::from_millisecond(ms as i64) {
        Ok(time) => time
            .to_zoned(jiff::tz::TimeZone::system())
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string(),
        Err(_) => format!("{ms} ms"),
    }
}

/// A length of time as people read it.
pub fn length(ms: u64) -> String {
    const S: u64 = 1_000;
    const MIN: u64 = 60 * S;
    const H: u64 = 60 * MIN;
    match ms {
        ..1_000 => format!("{ms} ms"),
        S..MIN => format!("{:.1} s", ms as f64 / S as f64),
        MIN..H => format!("{} min {} s", ms / MIN, ms % MIN / S),
        _ => format!("{} h {} min", ms / H, ms % H / MIN),
    }
}
