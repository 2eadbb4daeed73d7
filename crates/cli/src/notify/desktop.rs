//! A notification of the desktop: `notify-send` of whatever desktop runs, where there is one.

use overnight_ports::notifier::Message;
use tokio::process::Command;

/// The program that every freedesktop desktop has.
const PROGRAM: &str = "notify-send";

/// Shows it.
pub async fn send(message: &Message) -> Result<(), String> {
    let mut command = Command::new(PROGRAM);
    command.args(["--app-name=overnight", "--", &message.title, &message.text]);
    super::command::run(command, &[], &message.key)
        .await
        .map_err(|why| format!("{PROGRAM}: {why}"))
}
