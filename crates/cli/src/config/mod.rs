//! Configuration: which model, what it costs, where its provider is. Every value knows where it comes from.
//!
//! Later layers win: built-in default, the person's file, the repository's `overnight.toml`, the environment, an
//! option of the command line. Two exceptions keep a repository that came from outside from doing harm: it may not
//! say where a key is sent, and its prices fill in only what the person's file leaves open.

pub mod choice;
mod file;
pub mod secrets;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use etcetera::BaseStrategy;
use overnight_core::event::Price;
use overnight_core::notification::{Address, Channel};
use overnight_models::Env;

use self::secrets::{Secrets, Whence};
use crate::problem::usage;

/// The repository's file.
pub const REPOSITORY_FILE: &str = "overnight.toml";
/// The variable that names another file for the person's own settings.
pub const USER_FILE_VARIABLE: &str = "OVERNIGHT_CONFIG";
/// The variable that names the model.
pub const MODEL_VARIABLE: &str = "OVERNIGHT_MODEL";

/// A wire format with an address and a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    /// OpenAI Responses.
    OpenAi,
    /// Anthropic Messages.
    Anthropic,
    /// OpenAI-compatible chat completions.
    Chat,
}

impl Provider {
    /// All of them.
    pub const ALL: [Provider; 3] = [Provider::OpenAi, Provider::Anthropic, Provider::Chat];

    /// What stands before the `/` in a model's name.
    pub fn name(self) -> &'static str {
        match self {
            Provider::OpenAi => "openai",
            Provider::Anthropic => "anthropic",
            Provider::Chat => "chat",
        }
    }

    /// The address, and the name of the variable that holds the key, where nobody says otherwise.
    fn defaults(self) -> (&'static str, &'static str) {
        match self {
            Provider::OpenAi | Provider::Chat => (
                overnight_models::openai::BASE_URL_DEFAULT,
                overnight_models::OPENAI_API_KEY,
            ),
            Provider::Anthropic => (
                overnight_models::anthropic::BASE_URL_DEFAULT,
                overnight_models::ANTHROPIC_API_KEY,
            ),
        }
    }
}

/// What a setting is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `model`
    Model,
    /// `prices."openai/NAME"`
    Price(String),
    /// `providers.NAME.base_url`
    Address(Provider),
    /// `providers.NAME.key_env`
    Variable(Provider),
    /// `notify.…`
    Notify(How),
    /// `secrets.NAME`
    Secret(String),
}

/// How the person is told of what happens to a run, where the goal does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// `notify.command`
    Command,
    /// `notify.webhook`
    Webhook,
    /// `notify.webhook_env`
    WebhookVariable,
    /// `notify.desktop`
    Desktop,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Model => write!(f, "model"),
            Key::Price(model) => write!(f, "prices.{model:?}"),
            Key::Address(provider) => write!(f, "providers.{}.base_url", provider.name()),
            Key::Variable(provider) => write!(f, "providers.{}.key_env", provider.name()),
            Key::Notify(How::Command) => write!(f, "notify.command"),
            Key::Notify(How::Webhook) => write!(f, "notify.webhook"),
            Key::Notify(How::WebhookVariable) => write!(f, "notify.webhook_env"),
            Key::Notify(How::Desktop) => write!(f, "notify.desktop"),
            Key::Secret(name) => write!(f, "secrets.{name}"),
        }
    }
}

/// What a setting says.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A model's name, an address, a variable's name.
    Text(String),
    /// What a model costs.
    Price(Price),
    /// A command line that prints a secret. It may hold one itself, and is never shown.
    Command(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => write!(f, "{}", without_credentials(text)),
            Value::Command(_) => write!(f, "a command"),
            Value::Price(Price {
                input,
                cached,
                output,
            }) => write!(f, "{input} in, {cached} cached, {output} out"),
        }
    }
}

/// An address may hold a name and a password, and what is after `?` may be a key; neither is ever shown.
fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let host = match host.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => host.to_owned(),
    };
    let path = match path.find(['?', '#']) {
        Some(cut) => format!("{}?…", &path[..cut]),
        None => path.to_owned(),
    };
    format!("{scheme}://{host}{path}")
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The person's file, with line and column.
    User(String),
    /// The repository's file, with line and column.
    Repository(String),
    /// An environment variable.
    Environment(&'static str),
}

impl Origin {
    /// The layer, for programs.
    pub fn layer(&self) -> &'static str {
        match self {
            Origin::Default => "default",
            Origin::User(_) => "user",
            Origin::Repository(_) => "repository",
            Origin::Environment(_) => "environment",
        }
    }

    /// The place within the layer, for programs.
    pub fn place(&self) -> Option<&str> {
        match self {
            Origin::Default => None,
            Origin::User(place) | Origin::Repository(place) => Some(place),
            Origin::Environment(name) => Some(name),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => write!(f, "default"),
            Origin::User(place) => write!(f, "{place} (yours)"),
            Origin::Repository(place) => write!(f, "{place} (the repository's)"),
            Origin::Environment(name) => write!(f, "${name}"),
        }
    }
}

/// The value that counts, and those that it won over.
#[derive(Debug, Clone)]
pub struct Setting {
    /// What counts.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
    /// What would count without it, the strongest last.
    pub instead_of: Vec<(Value, Origin)>,
}

/// A file that was looked for.
#[derive(Debug, Clone)]
pub struct Looked {
    /// `user` or `repository`.
    pub layer: &'static str,
    /// Where.
    pub path: PathBuf,
    /// Whether it is there.
    pub there: bool,
}

/// Everything that is configured.
#[derive(Debug, Default)]
pub struct Settings {
    values: BTreeMap<Key, Setting>,
    /// The files, in the order of their layers.
    pub files: Vec<Looked>,
}

/// One layer's word on one key.
struct Said {
    key: Key,
    value: Value,
    origin: Origin,
}

/// Reads everything that is configured for work in `folder`.
pub fn load(folder: &Path) -> anyhow::Result<Settings> {
    let mut settings = Settings::default();
    // Chat has no address of its own until the person gives it one: it goes where OpenAI's formats go.
    for provider in [Provider::OpenAi, Provider::Anthropic] {
        let text = |text: &str| Value::Text(text.to_owned());
        let (address, key) = provider.defaults();
        settings.put(Key::Address(provider), text(address), Origin::Default);
        settings.put(Key::Variable(provider), text(key), Origin::Default);
    }
    let (user, repository) = (user_file()?, repository_file(folder));
    if let Some(path) = user {
        for said in settings.read("user", &path, file::Whose::User)? {
            settings.put(said.key, said.value, said.origin);
        }
    }
    settings.pair_chat()?;
    if let Some(path) = repository {
        for said in settings.read("repository", &path, file::Whose::Repository)? {
            settings.put_from_repository(said);
        }
    }
    if let Some(model) = variable(MODEL_VARIABLE) {
        let origin = Origin::Environment(MODEL_VARIABLE);
        settings.put(Key::Model, Value::Text(model), origin);
    }
    for (provider, name) in [
        (Provider::OpenAi, overnight_models::OPENAI_BASE_URL),
        (Provider::Anthropic, overnight_models::ANTHROPIC_BASE_URL),
    ] {
        if let Some(address) = variable(name) {
            let origin = Origin::Environment(name);
            settings.put(Key::Address(provider), Value::Text(address), origin);
        }
    }
    Ok(settings)
}

/// The person's secrets, for what has nothing else to do with the configuration.
pub fn secrets() -> anyhow::Result<Secrets> {
    let mut settings = Settings::default();
    if let Some(path) = user_file()? {
        for said in settings.read("user", &path, file::Whose::User)? {
            settings.put(said.key, said.value, said.origin);
        }
    }
    Ok(settings.secrets())
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// The person's file: `$OVERNIGHT_CONFIG`, else the platform's folder for configuration.
fn user_file() -> anyhow::Result<Option<PathBuf>> {
    if let Some(path) = std::env::var_os(USER_FILE_VARIABLE).filter(|p| !p.is_empty()) {
        let path = std::path::absolute(path).context(USER_FILE_VARIABLE)?;
        if !path.is_file() {
            return Err(usage(format!(
                "{USER_FILE_VARIABLE} names {}, which is no file: write one there, or unset the variable",
                path.display()
            )));
        }
        return Ok(Some(path));
    }
    // Without a home there is no such file, and nothing to complain about.
    let dirs = etcetera::choose_base_strategy().ok();
    Ok(dirs.map(|dirs| dirs.config_dir().join("overnight").join("config.toml")))
}

/// The root of the repository around `folder`.
pub fn root(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|dir| dir.join(".git").exists())
}

fn repository_file(folder: &Path) -> Option<PathBuf> {
    root(folder).map(|root| root.join(REPOSITORY_FILE))
}

impl Settings {
    fn put(&mut self, key: Key, value: Value, origin: Origin) {
        let mut instead_of = Vec::new();
        if let Some(old) = self.values.remove(&key) {
            instead_of = old.instead_of;
            instead_of.push((old.value, old.origin));
        }
        let setting = Setting {
            value,
            origin,
            instead_of,
        };
        self.values.insert(key, setting);
    }

    /// A repository cannot make a model look cheaper than the person says that it is: `stop.usd` is the person's.
    fn put_from_repository(&mut self, said: Said) {
        let person = self.values.get_mut(&said.key);
        match (&said.key, person) {
            (Key::Price(_), Some(person)) => person.instead_of.push((said.value, said.origin)),
            // What runs on the person's machine, and what is told to whom, no repository says: its file is refused, and
            // if it were not, nothing would come of it.
            (Key::Notify(_) | Key::Secret(_), _) => {}
            (Key::Address(_) | Key::Variable(_) | Key::Model | Key::Price(_), _) => {
                self.put(said.key, said.value, said.origin)
            }
        }
    }

    /// Where in the person's file a key is set.
    fn in_file(&self, key: &Key) -> Option<&str> {
        match &self.values.get(key)?.origin {
            Origin::User(place) => Some(place),
            Origin::Default | Origin::Repository(_) | Origin::Environment(_) => None,
        }
    }

    /// A key goes with its address: a key for chat alone would go wherever OPENAI_BASE_URL points.
    fn pair_chat(&self) -> anyhow::Result<()> {
        let (address, key) = (Key::Address(Provider::Chat), Key::Variable(Provider::Chat));
        match (self.in_file(&address), self.in_file(&key)) {
            (None, Some(place)) => Err(usage(format!(
                "{place}: `key_env` of chat needs `base_url`, because a key goes with its address (base_url = \"https://…/v1\")"
            ))),
            (Some(_), Some(_) | None) | (None, None) => Ok(()),
        }
    }

    fn read(
        &mut self,
        layer: &'static str,
        path: &Path,
        whose: file::Whose,
    ) -> anyhow::Result<Vec<Said>> {
        let found = file::read(path, whose)?;
        self.files.push(Looked {
            layer,
            path: path.to_owned(),
            there: found.is_some(),
        });
        Ok(found.unwrap_or_default())
    }

    /// Every setting, in a stable order.
    pub fn all(&self) -> impl Iterator<Item = (&Key, &Setting)> {
        self.values.iter()
    }

    fn text(&self, key: &Key) -> Option<(&str, &Origin)> {
        match self.values.get(key) {
            Some(Setting {
                value: Value::Text(text),
                origin,
                ..
            }) => Some((text, origin)),
            Some(Setting {
                value: Value::Price(_) | Value::Command(_),
                ..
            })
            | None => None,
        }
    }

    /// The configured model.
    pub fn model(&self) -> Option<(&str, &Origin)> {
        self.text(&Key::Model)
    }

    /// How the person is told of what happens to a run.
    pub fn notify(&self) -> Vec<Channel> {
        let text = |how| {
            self.text(&Key::Notify(how))
                .map(|(text, _)| text.to_owned())
        };
        let webhook = |to| Channel::Webhook { to };
        let channels = [
            text(How::Command).map(|command| Channel::Command { command }),
            text(How::Webhook).map(|url| webhook(Address::Url(url))),
            text(How::WebhookVariable).map(|name| webhook(Address::Variable(name))),
            text(How::Desktop).map(|_| Channel::Desktop),
        ];
        channels.into_iter().flatten().collect()
    }

    /// What a model costs.
    pub fn price(&self, model: &str) -> Option<(Price, &Origin)> {
        match self.values.get(&Key::Price(model.to_owned())) {
            Some(Setting {
                value: Value::Price(price),
                origin,
                ..
            }) => Some((*price, origin)),
            Some(Setting {
                value: Value::Text(_) | Value::Command(_),
                ..
            })
            | None => None,
        }
    }

    /// The name of the variable that holds a provider's key.
    pub fn key_variable(&self, provider: Provider) -> Option<&str> {
        self.text(&Key::Variable(provider)).map(|(name, _)| name)
    }

    /// Where a provider's key comes from.
    pub fn key_from(&self, provider: Provider) -> Whence {
        match self.key_variable(provider) {
            Some(name) => self.secrets().whence(name),
            None => Whence::Missing,
        }
    }

    /// Secrets, and the commands that print them.
    pub fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        for (key, setting) in &self.values {
            if let (Key::Secret(name), Value::Command(command), Some(place)) =
                (key, &setting.value, setting.origin.place())
            {
                secrets.put(name, command, place);
            }
        }
        secrets
    }

    /// What the models need to know: every address, and the keys of these providers. A key may have to be asked for.
    pub fn models(&self, keys: &[Provider]) -> anyhow::Result<Env> {
        let address = |provider| {
            self.text(&Key::Address(provider))
                .filter(|(_, origin)| **origin != Origin::Default)
                .map(|(address, _)| address.to_owned())
        };
        let secrets = self.secrets();
        let key = |provider| match self.key_variable(provider) {
            Some(name) if keys.contains(&provider) => secrets.get(name),
            Some(_) | None => Ok(None),
        };
        Ok(Env {
            openai_base_url: address(Provider::OpenAi),
            openai_api_key: key(Provider::OpenAi)?,
            anthropic_base_url: address(Provider::Anthropic),
            anthropic_api_key: key(Provider::Anthropic)?,
            chat_base_url: address(Provider::Chat),
            chat_api_key: key(Provider::Chat)?,
            ..Env::default()
        })
    }

    /// What the model of this name needs to know.
    pub fn model_of(&self, spec: &str) -> anyhow::Result<Env> {
        let chat = match self.text(&Key::Address(Provider::Chat)) {
            Some(_) => Provider::Chat,
            None => Provider::OpenAi,
        };
        let provider = match spec.split_once('/') {
            Some(("openai", _)) => Some(Provider::OpenAi),
            Some(("anthropic", _)) => Some(Provider::Anthropic),
            Some(("chat", _)) => Some(chat),
            Some(_) | None => None,
        };
        self.models(provider.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_address_hides_is_not_shown() {
        for (address, shown) in [
            ("https://api.example/v1", "https://api.example/v1"),
            ("https://ann:pw@api.example/v1", "https://…@api.example/v1"),
            ("https://a.example/v1?key=pw#pw", "https://a.example/v1?…"),
            ("https://a.example?pw@b", "https://a.example?…"),
            ("openai/gpt-5.5", "openai/gpt-5.5"),
        ] {
            assert_eq!(without_credentials(address), shown);
        }
    }

    #[test]
    fn a_repository_cannot_make_a_model_cheaper_than_the_person_says() {
        let price = |input| {
            Value::Price(Price {
                input,
                cached: input,
                output: input,
            })
        };
        let said = |input| Said {
            key: Key::Price("openai/x".into()),
            value: price(input),
            origin: Origin::Repository("overnight.toml:1:1".into()),
        };
        let mut settings = Settings::default();
        settings.put_from_repository(said(2.0));
        assert_eq!(settings.price("openai/x").map(|(p, _)| p.input), Some(2.0));
        let mut settings = Settings::default();
        let yours = Origin::User("config.toml:1:1".into());
        settings.put(Key::Price("openai/x".into()), price(5.0), yours.clone());
        settings.put_from_repository(said(0.0));
        let (price, origin) = settings.price("openai/x").expect("it is known");
        assert_eq!((price.input, origin), (5.0, &yours));
    }
}
