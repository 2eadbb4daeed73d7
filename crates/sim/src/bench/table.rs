//! Figures in columns: what, measured, target.

/// Width of the first column, characters.
const WHAT_WIDTH: usize = 68;
/// Width of the second column, characters.
const MEASURED_WIDTH: usize = 22;

/// A table that is printed when it is whole.
pub struct Table {
    lines: Vec<String>,
}

impl Table {
    /// With a heading.
    pub fn new(heading: &str) -> Table {
        let first = format!(
            "{heading:<WHAT_WIDTH$} {:>MEASURED_WIDTH$}  target",
            "measured"
        );
        Table { lines: vec![first] }
    }

    /// A figure that has a target, with its unit.
    pub fn row(&mut self, what: &str, measured: String, target: Option<(f64, &str)>, value: f64) {
        let Some((target, unit)) = target else {
            return self.note(what, measured);
        };
        // A factor may reach its target; what has a unit is to stay below it.
        let (sign, met) = match unit {
            "" => ("≤", value <= target),
            _ => ("<", value < target),
        };
        let met = if met { "met" } else { "missed" };
        let target = format!("{sign} {target} {unit}");
        self.lines.push(format!(
            "  {what:<0$} {measured:>MEASURED_WIDTH$}  {1:<10} {met}",
            WHAT_WIDTH - 2,
            target.trim_end()
        ));
    }

    /// A figure without a target.
    pub fn note(&mut self, what: &str, measured: String) {
        self.lines.push(format!(
            "  {what:<0$} {measured:>MEASURED_WIDTH$}",
            WHAT_WIDTH - 2
        ));
    }

    /// Prints it.
    pub fn print(&self) {
        for line in &self.lines {
            println!("{line}");
        }
        println!();
    }
}

/// Milliseconds, for people.
pub fn ms(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.2} ms")
    } else {
        format!("{value:.1} ms")
    }
}

/// A factor, for people.
pub fn ratio(value: f64) -> String {
    format!("{value:.2}")
}

/// The value below which this share of them lies.
pub fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    values.get((last as f64 * share).round() as usize).copied()
}

/// The middle value.
pub fn median(values: &mut [f64]) -> Option<f64> {
    quantile(values, 0.5)
}
