//! One configuration file: read with positions, every mistake told, and no value ever shown in a message, because
//! what stands at the wrong place may be a secret.

use std::fs;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use overnight_core::event::Price;
use overnight_core::notification;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{How, Key, Origin, Provider, Said, USER_FILE_VARIABLE, Value};
use crate::lines::clean;
use crate::problem::usage;

/// Largest file that is read, bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Length of the name of a variable, bytes.
const VARIABLE_BYTES_MAX: usize = 64;
/// How many mistakes are told at once.
const FINDINGS_MAX: usize = 20;

/// Whose file it is: a repository's comes from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The person's own.
    User,
    /// The repository's.
    Repository,
}

/// Reads a file; nothing if it is not there.
pub(super) fn read(path: &Path, whose: Whose) -> anyhow::Result<Option<Vec<Said>>> {
    let shown = match whose {
        Whose::User => path.display().to_string(),
        Whose::Repository => super::REPOSITORY_FILE.to_owned(),
    };
    let fail = |why: &str| usage(format!("{shown}: {why}"));
    // A repository's link could lead anywhere, to what never ends or to what is nobody's business.
    let about = match whose {
        Whose::User => fs::metadata(path),
        Whose::Repository => fs::symlink_metadata(path),
    };
    match about {
        Ok(about) if !about.is_file() => return Err(fail("it is not a plain file")),
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fail(&e.to_string())),
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|f| f.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|e| fail(&e.to_string()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(fail("it is larger than 256 KiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| fail("it is not UTF-8"))?;
    parse(&text, &shown, whose)
        .map(Some)
        .map_err(|found| usage(found.join("\n")))
}

/// Reads a text; or everything that is wrong with it, each with its place.
fn parse(text: &str, shown: &str, whose: Whose) -> Result<Vec<Said>, Vec<String>> {
    let mut reader = Reader {
        text,
        shown,
        whose,
        said: Vec::new(),
        found: Vec::new(),
    };
    match DeTable::parse(text) {
        Ok(table) => reader.top(table.get_ref()),
        Err(error) => {
            let at = error.span().unwrap_or(0..0);
            // The parser's messages name what it expected; quoting what it found is left to the person's editor.
            reader.say(&at, "this is not TOML", "KEY = \"VALUE\", one on each line");
        }
    }
    let Reader {
        said, mut found, ..
    } = reader;
    if found.is_empty() {
        return Ok(said);
    }
    let more = found.len().saturating_sub(FINDINGS_MAX);
    found.truncate(FINDINGS_MAX);
    if more > 0 {
        found.push(format!("… and {more} more"));
    }
    Err(found)
}

struct Reader<'t> {
    text: &'t str,
    shown: &'t str,
    whose: Whose,
    said: Vec<Said>,
    found: Vec<String>,
}

impl Reader<'_> {
    fn place(&self, at: &Range<usize>) -> String {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        format!("{}:{line}:{column}", self.shown)
    }

    fn say(&mut self, at: &Range<usize>, what: &str, help: &str) {
        let place = self.place(at);
        self.found.push(format!("{place}: {what} ({help})"));
    }

    fn origin(&self, at: &Range<usize>) -> Origin {
        match self.whose {
            Whose::User => Origin::User(self.place(at)),
            Whose::Repository => Origin::Repository(self.place(at)),
        }
    }

    fn put(&mut self, key: Key, value: Value, at: &Range<usize>) {
        let origin = self.origin(at);
        self.said.push(Said { key, value, origin });
    }

    fn top(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "model" => {
                    if let Some(model) = self.text(value, "model", "model = \"openai/NAME\"") {
                        let address = model.contains("://") && !model.starts_with("scripted/");
                        if address && self.whose == Whose::Repository {
                            self.say(
                                &value.span(),
                                "a repository may not name a model with an address: it would decide where your code is sent",
                                &format!("model = \"chat/NAME\"; its address belongs into your own file, {}", yours()),
                            );
                        } else if model.contains('/') {
                            self.put(Key::Model, Value::Text(model), &value.span());
                        } else {
                            self.say(
                                &value.span(),
                                "`model` is a provider and a name",
                                "model = \"openai/NAME\"",
                            );
                        }
                    }
                }
                "prices" => self.each(value, "prices", "[prices.\"openai/NAME\"]", Self::price),
                "providers" if self.whose == Whose::Repository => self.say(
                    &key.span(),
                    "a repository may not set `providers`: it would decide where your key is sent",
                    &format!(
                        "remove it here; if you want it, put it into your own file, {}",
                        yours()
                    ),
                ),
                "providers" => self.each(value, "providers", "[providers.chat]", Self::provider),
                "notify" if self.whose == Whose::Repository => self.say(
                    &key.span(),
                    "a repository may not set `notify`: it would run a command on your machine, or tell others of your runs",
                    &format!(
                        "remove it here; if you want it, put it into your own file, {}",
                        yours()
                    ),
                ),
                "notify" => self.notify(value),
                "secrets" if self.whose == Whose::Repository => self.say(
                    &key.span(),
                    "a repository may not set `secrets`: it would run a command on your machine",
                    &format!(
                        "remove it here; if you want it, put it into your own file, {}",
                        yours()
                    ),
                ),
                "secrets" => self.secrets(value),
                _ => self.unknown(
                    key,
                    "",
                    &["model", "notify", "prices", "providers", "secrets"],
                ),
            }
        }
    }

    fn notify(&mut self, value: &Spanned<DeValue<'_>>) {
        const EXAMPLE: &str = "[notify] command = \"mail -s overnight ann\"";
        let DeValue::Table(table) = value.get_ref() else {
            return self.say(&value.span(), "`notify` is a table", EXAMPLE);
        };
        for (key, value) in table {
            let at = value.span();
            let put = |reader: &mut Self, how, text: String| {
                reader.put(Key::Notify(how), Value::Text(text), &at);
            };
            match key.get_ref().as_ref() {
                "command" => {
                    if let Some(command) = self.text(value, "command", EXAMPLE) {
                        put(self, How::Command, command);
                    }
                }
                "webhook" => {
                    const EXAMPLE: &str = "webhook = \"https://example.org/hook\"; one that is a secret: webhook_env = \"HOOK_URL\"";
                    match self.text(value, "webhook", EXAMPLE) {
                        Some(url) => match notification::webhook(&url) {
                            Ok(()) => put(self, How::Webhook, url),
                            Err(why) => self.say(
                                &at,
                                &format!("this `webhook` cannot be used: {why}"),
                                EXAMPLE,
                            ),
                        },
                        None => continue,
                    }
                }
                "webhook_env" => {
                    const EXAMPLE: &str = "webhook_env = \"HOOK_URL\"";
                    match self.text(value, "webhook_env", EXAMPLE) {
                        Some(name) if notification::variable(&name) => {
                            put(self, How::WebhookVariable, name);
                        }
                        Some(_) => self.say(
                            &at,
                            "`webhook_env` is the name of an environment variable; if this is the address itself, remove it from the file",
                            EXAMPLE,
                        ),
                        None => continue,
                    }
                }
                "desktop" => match value.get_ref() {
                    DeValue::Boolean(true) => put(self, How::Desktop, "true".to_owned()),
                    DeValue::Boolean(false) => {}
                    _ => self.say(&at, "`desktop` is true or false", "desktop = true"),
                },
                _ => self.unknown(
                    key,
                    "notify",
                    &["command", "webhook", "webhook_env", "desktop"],
                ),
            }
        }
    }

    /// Commands that print secrets, by the names of the variables that would hold them.
    fn secrets(&mut self, value: &Spanned<DeValue<'_>>) {
        const EXAMPLE: &str = "[secrets] SENTRY_AUTH_TOKEN = \"secret-tool lookup service sentry\"";
        let DeValue::Table(table) = value.get_ref() else {
            return self.say(&value.span(), "`secrets` is a table", EXAMPLE);
        };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if !is_variable(name) {
                // What stands at the wrong place may be the secret: it is not repeated.
                self.say(
                    &key.span(),
                    "a key of `secrets` is the name of an environment variable, in capital letters",
                    EXAMPLE,
                );
                continue;
            }
            let command = match value.get_ref() {
                DeValue::String(text) if !text.trim().is_empty() => text.trim().to_owned(),
                _ => {
                    self.say(
                        &value.span(),
                        "an entry of `secrets` is a command line that prints the secret",
                        EXAMPLE,
                    );
                    continue;
                }
            };
            if overnight_core::goal::parse::copied_secret(&command) {
                self.say(
                    &value.span(),
                    "this looks like the secret itself, and secrets are never in files; here stands a command that prints it",
                    EXAMPLE,
                );
                continue;
            }
            self.put(
                Key::Secret(name.to_owned()),
                Value::Command(command),
                &key.span(),
            );
        }
    }

    /// Every entry of a table of tables.
    fn each(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        name: &str,
        example: &str,
        read: fn(&mut Self, &str, &Range<usize>, &DeTable<'_>),
    ) {
        let DeValue::Table(table) = value.get_ref() else {
            return self.say(&value.span(), &format!("`{name}` is a table"), example);
        };
        for (key, value) in table {
            match value.get_ref() {
                DeValue::Table(inner) => read(self, key.get_ref(), &key.span(), inner),
                _ if secret(key.get_ref()) => self.secret(key),
                _ => self.say(
                    &value.span(),
                    &format!("an entry of `{name}` is a table"),
                    example,
                ),
            }
        }
    }

    fn price(&mut self, model: &str, at: &Range<usize>, table: &DeTable<'_>) {
        const EXAMPLE: &str = "[prices.\"openai/NAME\"] input = 1.25, cached = 0.125, output = 10, in US dollars per million tokens";
        if !model.contains('/') {
            return self.say(
                at,
                "a price belongs to a model's whole name, in quotes",
                EXAMPLE,
            );
        }
        let before = self.found.len();
        let (mut input, mut cached, mut output) = (None, None, None);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "input" => input = self.dollars(value, EXAMPLE),
                "cached" => cached = self.dollars(value, EXAMPLE),
                "output" => output = self.dollars(value, EXAMPLE),
                _ => self.unknown(key, "prices", &["input", "cached", "output"]),
            }
        }
        match (input, output) {
            (Some(input), Some(output)) => {
                let cached = cached.unwrap_or(input);
                let price = Price {
                    input,
                    cached,
                    output,
                };
                self.put(Key::Price(model.to_owned()), Value::Price(price), at);
            }
            _ if self.found.len() == before => {
                self.say(at, "a price needs `input` and `output`", EXAMPLE)
            }
            _ => {}
        }
    }

    fn dollars(&mut self, value: &Spanned<DeValue<'_>>, example: &str) -> Option<f64> {
        let number = match value.get_ref() {
            DeValue::Integer(n) if n.radix() == 10 => n.as_str().parse::<f64>().ok(),
            DeValue::Float(n) => n.as_str().parse::<f64>().ok(),
            _ => None,
        };
        let number = number.filter(|n| n.is_finite() && *n >= 0.0);
        if number.is_none() {
            self.say(&value.span(), "a price is a number, not negative", example);
        }
        number
    }

    fn provider(&mut self, name: &str, at: &Range<usize>, table: &DeTable<'_>) {
        let Some(provider) = Provider::ALL.into_iter().find(|p| p.name() == name) else {
            return self.say(
                at,
                &format!("there is no provider `{}`", clean(name)),
                "known: openai, anthropic, chat; anything that speaks OpenAI's chat completions is [providers.chat]",
            );
        };
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "base_url" => self.address(provider, value),
                "key_env" => self.key_variable(provider, value),
                _ => self.unknown(key, "providers", &["base_url", "key_env"]),
            }
        }
    }

    fn address(&mut self, provider: Provider, value: &Spanned<DeValue<'_>>) {
        const EXAMPLE: &str = "base_url = \"http://127.0.0.1:11434/v1\"";
        let Some(address) = self.text(value, "base_url", EXAMPLE) else {
            return;
        };
        let rest = ["http://", "https://"]
            .iter()
            .find_map(|scheme| address.strip_prefix(scheme));
        let wrong = match rest {
            None => Some("`base_url` begins with http:// or https://"),
            Some("") => Some("`base_url` names no host"),
            Some(rest) if rest.contains(['@', '?', '#']) => {
                Some("`base_url` holds no name, password or key: secrets are never in files")
            }
            Some(rest) if rest.contains(|c: char| c.is_whitespace() || c.is_control()) => {
                Some("`base_url` holds no blanks")
            }
            Some(_) => None,
        };
        match wrong {
            Some(wrong) => self.say(&value.span(), wrong, EXAMPLE),
            None => self.put(Key::Address(provider), Value::Text(address), &value.span()),
        }
    }

    fn key_variable(&mut self, provider: Provider, value: &Spanned<DeValue<'_>>) {
        let example = format!("key_env = \"{}\"", provider.defaults().1);
        let Some(name) = self.text(value, "key_env", &example) else {
            return;
        };
        if is_variable(&name) {
            self.put(Key::Variable(provider), Value::Text(name), &value.span());
        } else {
            self.say(
                &value.span(),
                "`key_env` is the name of an environment variable, in capital letters; if this is the key itself, remove it from the file",
                &example,
            );
        }
    }

    fn text(&mut self, value: &Spanned<DeValue<'_>>, name: &str, example: &str) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => {
                self.say(&value.span(), &format!("`{name}` is a text"), example);
                None
            }
        }
    }

    fn unknown(&mut self, key: &Spanned<std::borrow::Cow<'_, str>>, table: &str, known: &[&str]) {
        if secret(key.get_ref()) {
            return self.secret(key);
        }
        let within = match table {
            "" => String::new(),
            table => format!(" of `{table}`"),
        };
        let what = format!("unknown key `{}`{within}", clean(key.get_ref()));
        self.say(&key.span(), &what, &format!("known: {}", known.join(", ")));
    }

    fn secret(&mut self, key: &Spanned<std::borrow::Cow<'_, str>>) {
        let what = format!(
            "`{}` looks like a secret, and secrets are never in files",
            clean(key.get_ref())
        );
        self.say(
            &key.span(),
            &what,
            "remove it, and export it in your shell, or name a command that prints it: [secrets] OPENAI_API_KEY = \"pass show openai\"; key_env names another variable",
        );
    }
}

/// Whether it is an environment variable's name, as people write those of secrets.
fn is_variable(name: &str) -> bool {
    name.len() <= VARIABLE_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// The person's file, for messages.
fn yours() -> String {
    match super::user_file() {
        Ok(Some(path)) => path.display().to_string(),
        Ok(None) | Err(_) => format!("${USER_FILE_VARIABLE}"),
    }
}

/// Whether a key is called like something that must not be written down.
fn secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.ends_with("key")
        || ["token", "secret", "password", "credential"]
            .iter()
            .any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        match parse(text, "c.toml", Whose::User) {
            Ok(_) => panic!("{text} was taken"),
            Err(found) => found.join("\n"),
        }
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        for (text, place, word) in [
            ("modle = \"a/b\"", "c.toml:1:1:", "known: model"),
            ("\nmodel = 3", "c.toml:2:9:", "`model` is a text"),
            ("model = \"gpt\"", "c.toml:1:9:", "a provider and a name"),
            ("model = ", "c.toml:1:", "not TOML"),
            ("prices = 3", "c.toml:1:10:", "is a table"),
            (
                "[prices.gpt]\ninput = 1\noutput = 2",
                "c.toml:1:9:",
                "whole name",
            ),
            (
                "[prices.\"a/b\"]\ninput = 1",
                "c.toml:1:9:",
                "needs `input` and `output`",
            ),
            (
                "[prices.\"a/b\"]\ninput = -1\noutput = 2",
                "c.toml:2:9:",
                "not negative",
            ),
            (
                "[prices.\"a/b\"]\ninput = nan\noutput = 2",
                "c.toml:2:9:",
                "not negative",
            ),
            (
                "[prices.\"a/b\"]\ninput = 1\noutput = 2\nper = 1",
                "c.toml:4:1:",
                "of `prices`",
            ),
            (
                "[providers.mistral]",
                "c.toml:1:12:",
                "no provider `mistral`",
            ),
            (
                "[providers.chat]\nbase_url = \"localhost:1\"",
                "c.toml:2:12:",
                "http://",
            ),
            (
                "[providers.chat]\nurl = \"x\"",
                "c.toml:2:1:",
                "base_url, key_env",
            ),
        ] {
            let said = wrong(text);
            assert!(
                said.starts_with(place) && said.contains(word),
                "{text}: {said}"
            );
        }
        assert_eq!(
            wrong("a = 1\nb = 2").lines().count(),
            2,
            "all of them at once"
        );
    }

    #[test]
    fn a_secret_is_refused_wherever_it_stands_and_never_repeated() {
        for text in [
            "api_key = \"sk-hush\"",
            "token = \"sk-hush\"",
            "api_key = sk-hush",
            "[providers.chat]\nkey = \"sk-hush\"",
            "[providers.chat]\nkey_env = \"sk-hush\"",
            "[providers]\napi_key = \"sk-hush\"",
            "[providers.chat]\nbase_url = \"https://ann:sk-hush@a.example\"",
            "[providers.chat]\nbase_url = \"https://a.example/?k=sk-hush\"",
            "[providers.chat]\naccess_token = \"sk-hush\"",
        ] {
            let said = wrong(text);
            assert!(!said.contains("hush"), "{said}");
        }
        assert!(wrong("api_key = \"x\"").contains("key_env"));
    }

    #[test]
    fn only_the_persons_own_file_says_where_a_key_goes() {
        let text = "[providers.chat]\nbase_url = \"https://a.example/v1\"\nkey_env = \"A_KEY\"\n";
        assert_eq!(
            parse(text, "c.toml", Whose::User)
                .map_err(|f| f.join("\n"))
                .map(|s| s.len()),
            Ok(2)
        );
        let said = match parse(text, "overnight.toml", Whose::Repository) {
            Ok(_) => panic!("it was taken"),
            Err(found) => found.join("\n"),
        };
        assert!(
            said.starts_with("overnight.toml:1:2:") && said.contains("where your key is sent"),
            "{said}"
        );
    }

    #[test]
    fn only_the_persons_own_file_says_who_is_told() {
        let text = "[notify]\ncommand = \"mail ann\"\nwebhook_env = \"HOOK\"\ndesktop = true\n";
        let said = parse(text, "c.toml", Whose::User).map_err(|f| f.join("\n"));
        assert_eq!(said.map(|s| s.len()), Ok(3));
        let said = match parse(text, "overnight.toml", Whose::Repository) {
            Ok(_) => panic!("it was taken"),
            Err(found) => found.join("\n"),
        };
        assert!(
            said.starts_with("overnight.toml:1:2:") && said.contains("on your machine"),
            "{said}"
        );
        for text in [
            "notify = \"mail\"",
            "[notify]\ncommand = 3",
            "[notify]\nwebhook = \"http://hush.example\"",
            "[notify]\nwebhook_env = \"https://hush.example\"",
            "[notify]\ndesktop = \"yes\"",
            "[notify]\nmail = \"ann\"",
        ] {
            let said = wrong(text);
            assert!(
                said.starts_with("c.toml:") && !said.contains("hush"),
                "{text}: {said}"
            );
        }
    }

    #[test]
    fn only_the_persons_own_file_has_commands_for_secrets_and_never_a_secret() {
        let text = "[secrets]\nSENTRY_AUTH_TOKEN = \"pass show sentry\"\nMY_KEY = \"op read op://a/b/c\"\n";
        let said = parse(text, "c.toml", Whose::User).map_err(|f| f.join("\n"));
        assert_eq!(said.map(|s| s.len()), Ok(2));
        let said = match parse(text, "overnight.toml", Whose::Repository) {
            Ok(_) => panic!("it was taken"),
            Err(found) => found.join("\n"),
        };
        assert!(
            said.starts_with("overnight.toml:1:2:") && said.contains("on your machine"),
            "{said}"
        );
        for text in [
            "secrets = \"hush\"",
            "[secrets]\nSENTRY_AUTH_TOKEN = 3",
            "[secrets]\nSENTRY_AUTH_TOKEN = \" \"",
            "[secrets]\nSENTRY_AUTH_TOKEN = [\"hush\"]",
            "[secrets]\nhush = \"pass show x\"",
            "[secrets]\nSENTRY_AUTH_TOKEN = \"sntrys_hush\"",
            "[secrets]\nGITHUB_TOKEN = \"echo ghp_hush\"",
        ] {
            let said = wrong(text);
            assert!(
                said.starts_with("c.toml:") && !said.contains("hush"),
                "{text}: {said}"
            );
        }
    }

    #[test]
    fn a_price_without_cached_counts_cached_input_as_input() {
        let said = parse(
            "[prices.\"openai/x\"]\ninput = 2\noutput = 8.5",
            "c",
            Whose::Repository,
        );
        let said = said.map_err(|f| f.join("\n")).expect("it is good");
        let Value::Price(price) = said[0].value else {
            panic!("a price")
        };
        assert_eq!((price.input, price.cached, price.output), (2.0, 2.0, 8.5));
    }
}
