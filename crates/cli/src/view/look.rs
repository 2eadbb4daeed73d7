//! What a terminal can show: colours or none, Unicode or ASCII. Meaning is in words and marks; a colour only repeats it.

use ratatui::style::{Color, Modifier, Style};

/// What a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Colours: the sixteen that every theme defines, never exact ones.
    pub color: bool,
    /// Characters beyond ASCII.
    pub unicode: bool,
}

/// What a piece of the screen means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Text.
    Plain,
    /// Labels, and what is over.
    Quiet,
    /// What a person came for.
    Strong,
    /// It holds.
    Good,
    /// It does not.
    Bad,
    /// It needs a person, or waits.
    Care,
    /// It is under way.
    Busy,
}

/// A sign in one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Passed, done.
    Pass,
    /// Failed, denied.
    Fail,
    /// Cannot be told.
    Unknown,
    /// Under way.
    Busy,
    /// Not begun.
    Open,
    /// Before the status.
    Dot,
}

impl Look {
    /// Of this process's terminal, from the variables that say so.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Look {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        // The first that is set decides, as the C library has it.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        let term = set("TERM").unwrap_or_default();
        let monochrome =
            term.starts_with("vt1") || term.starts_with("vt2") || term.ends_with("-mono");
        Look {
            color: set("NO_COLOR").is_none() && !monochrome,
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }

    /// The style of a tone.
    pub fn style(self, tone: Tone) -> Style {
        let style = Style::new();
        let colored = |color: Color| {
            if self.color { style.fg(color) } else { style }
        };
        match tone {
            Tone::Plain => style,
            Tone::Quiet => style.add_modifier(Modifier::DIM),
            Tone::Strong => style.add_modifier(Modifier::BOLD),
            Tone::Good => colored(Color::Green),
            Tone::Bad => colored(Color::Red).add_modifier(Modifier::BOLD),
            Tone::Care => colored(Color::Yellow),
            Tone::Busy => colored(Color::Cyan),
        }
    }

    /// A sign.
    pub fn sign(self, sign: Sign) -> &'static str {
        let (unicode, ascii) = match sign {
            Sign::Pass => ("✓", "+"),
            Sign::Fail => ("✗", "x"),
            Sign::Unknown => ("?", "?"),
            Sign::Busy => ("▸", ">"),
            Sign::Open => ("·", "-"),
            Sign::Dot => ("●", "*"),
        };
        if self.unicode { unicode } else { ascii }
    }

    /// What stands between two things on one line.
    pub fn between(self) -> &'static str {
        if self.unicode { " · " } else { " - " }
    }

    /// The end of a text that was cut.
    pub fn cut(self) -> &'static str {
        if self.unicode { "…" } else { "~" }
    }

    /// What a bar is made of: what is done, and what is not.
    pub fn filled(self) -> (&'static str, &'static str) {
        if self.unicode {
            ("▰", "▱")
        } else {
            ("#", ".")
        }
    }

    /// Heights for a line of progress, lowest first.
    pub fn bars(self) -> [char; 8] {
        if self.unicode {
            ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
        } else {
            ['_', '.', ',', '-', '=', '+', '*', '#']
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(set: &[(&str, &str)]) -> Look {
        Look::of(|name| {
            let found = set.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn colours_and_characters_follow_the_variables() {
        let plain = look(&[("TERM", "xterm"), ("LANG", "de_DE.UTF-8")]);
        assert!(plain.color && plain.unicode);
        assert!(!look(&[("NO_COLOR", "1"), ("LANG", "C.utf8")]).color);
        assert!(look(&[("NO_COLOR", "")]).color, "empty is not set");
        assert!(!look(&[("TERM", "vt100")]).color);
        assert!(!look(&[("LC_ALL", "C"), ("LANG", "C.UTF-8")]).unicode);
        assert!(!look(&[]).unicode);
    }

    #[test]
    fn without_colours_no_tone_has_one() {
        let look = look(&[("NO_COLOR", "1")]);
        for tone in [
            Tone::Plain,
            Tone::Quiet,
            Tone::Strong,
            Tone::Good,
            Tone::Bad,
            Tone::Care,
            Tone::Busy,
        ] {
            assert_eq!((look.style(tone).fg, look.style(tone).bg), (None, None));
        }
    }
}
