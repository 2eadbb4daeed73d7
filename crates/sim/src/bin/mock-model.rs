//! A model server on the loopback that plays a script: `mock-model --script FILE [--port N] [--log FILE]`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use overnight_models::scripted::Script;
use sim::server::{Options, Server};

const USAGE: &str = "usage: mock-model --script FILE [--port N] [--log FILE] [--key KEY]";

fn main() -> ExitCode {
    match serve(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn serve(mut args: impl Iterator<Item = String>) -> Result<(), String> {
    let (mut script, mut options) = (None::<PathBuf>, Options::default());
    while let Some(name) = args.next() {
        let mut value = || args.next().ok_or(format!("{name} needs a value; {USAGE}"));
        match name.as_str() {
            "--script" => script = Some(value()?.into()),
            "--port" => {
                options.port = value()?
                    .parse()
                    .map_err(|_| format!("--port is a number up to 65535; {USAGE}"))?
            }
            "--log" => options.log = Some(value()?.into()),
            "--key" => options.key = Some(value()?),
            "--help" | "-h" => {
                println!("{USAGE}");
                return Ok(());
            }
            other => return Err(format!("unknown argument `{other}`; {USAGE}")),
        }
    }
    let script: &Path = script.as_deref().ok_or(USAGE)?;
    let script = Script::read(script).map_err(|error| error.to_string())?;
    let port = options.port;
    let server = Server::start(script, options)
        .map_err(|error| format!("cannot serve on 127.0.0.1:{port}: {error}"))?;
    println!("listening on {}", server.address());
    // Whoever starts this reads the line through a pipe.
    std::io::stdout()
        .flush()
        .map_err(|error| error.to_string())?;
    loop {
        std::thread::park();
    }
}
