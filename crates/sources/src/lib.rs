//! Where items come from and what may be done to them: error trackers, issue trackers, files, any command.
//!
//! [`open`] gives the source that a goal names. Every source lists in the goal's order as far as its limit, hands over
//! nothing that is not bounded and cleaned, sends its token to nobody but its own server, and can be asked whether an
//! act was performed already.

mod bugsink;
mod clean;
mod command;
mod datadog;
mod dossier;
mod file;
mod github;
mod glitchtip;
mod hand;
mod http;
mod lines;
mod query;
mod secretive;
mod sentry;
mod spec;
mod stack;

use std::path::PathBuf;
use std::sync::Arc;

use overnight_core::goal::Items;
use overnight_ports::source::Source;
use reqwest::Url;
use secrecy::SecretString;

/// Names of sources that this crate has.
pub const NAMES: [&str; 7] = [
    "command",
    "file",
    "sentry",
    "bugsink",
    "glitchtip",
    "datadog",
    "github",
];

/// The variables that hold the tokens of sources, where a goal names no other.
pub const TOKENS: [&str; 6] = [
    sentry::SENTRY.token,
    glitchtip::GLITCHTIP.token,
    bugsink::TOKEN,
    datadog::TOKEN,
    datadog::APP_TOKEN,
    github::TOKEN,
];

/// What sources need to know of the outside.
pub struct Opening<'a> {
    /// Looks up a secret by the name of an environment variable. An error, for people, if it should be there and
    /// cannot be had.
    pub secret: &'a dyn Fn(&str) -> Result<Option<SecretString>, String>,
    /// A clean checkout of the base, in which the goal's commands run: the agent can never have changed it.
    pub base: PathBuf,
    /// What a relative `path` is relative to: the person's own repository.
    pub folder: PathBuf,
    /// What `~` stands for in `path`.
    pub home: Option<PathBuf>,
}

/// The source that a goal names. Nothing is started or sent; errors are for people.
pub fn open(items: &Items, cx: &Opening<'_>) -> Result<Arc<dyn Source>, String> {
    let spec = spec::Spec::new(items, cx);
    Ok(match items.from.as_str() {
        "command" => Arc::new(command::CommandSource::open(&spec, cx)?),
        "file" => Arc::new(file::FileSource::open(&spec, cx)?),
        "sentry" => Arc::new(sentry::Tracker::open(&spec, sentry::SENTRY)?),
        "glitchtip" => Arc::new(sentry::Tracker::open(&spec, glitchtip::GLITCHTIP)?),
        "bugsink" => Arc::new(bugsink::Bugsink::open(&spec)?),
        "datadog" => Arc::new(datadog::Datadog::open(&spec)?),
        "github" => Arc::new(github::GitHub::open(&spec)?),
        other => {
            return Err(format!(
                "no items can be had from `{other}` yet; there are: {}; anything else can be had with `from: command`",
                NAMES.join(", ")
            ));
        }
    })
}

/// Whether an address is this machine by its spelling.
fn is_here(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}
