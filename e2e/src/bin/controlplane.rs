//! `controlplane`: obtains the control plane's programs and prints the folder they are in (`make controlplane`).

use std::io::{self, Write as _};
use std::process::ExitCode;

use causeway_e2e::controlplane::Binaries;
use causeway_e2e::interrupt;

#[tokio::main]
async fn main() -> ExitCode {
    // Abandoning it ends a running build; what is finished stays in the cache.
    let result = tokio::select! {
        result = Binaries::obtain() => result,
        _ = interrupt() => return ExitCode::from(130),
    };
    match result {
        Ok(binaries) => {
            let _ = writeln!(io::stdout(), "{}", binaries.folder().display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "controlplane: {error}");
            ExitCode::FAILURE
        }
    }
}
