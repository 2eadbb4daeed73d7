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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value_and_of_nothing_there_is_none() {
        assert_eq!(median(&mut [9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(quantile(&mut [4.0, 2.0, 1.0, 3.0], 1.0), Some(4.0));
        assert_eq!(median(&mut []), None);
    }

    #[test]
    fn a_target_with_a_unit_is_missed_when_it_is_reached_and_a_factor_is_not() {
        let mut table = Table::new("x");
        table.row("memory", "30 MB".into(), Some((30.0, "MB")), 30.0);
        table.row("growth", "1.50".into(), Some((1.5, "")), 1.5);
        assert!(table.lines[1].ends_with("missed") && table.lines[2].ends_with("met"));
    }
}
