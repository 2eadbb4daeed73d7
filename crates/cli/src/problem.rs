//! Errors that a person sees, and the exit codes they have.

use overnight_core::stop::ExitCode;

/// A person's mistake, or a goal that is refused: exit code 2. Anything else is 1.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Makes a usage error.
pub fn usage(text: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Usage(text.into()))
}

/// Prints an error and gives its exit code.
pub fn tell(error: &anyhow::Error) -> u8 {
    eprintln!("error: {error:#}");
    let code = if error.is::<Usage>() {
        ExitCode::Usage
    } else {
        ExitCode::Failed
    };
    code as u8
}
