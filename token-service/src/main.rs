//! The token service's command line.

mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(std::env::args().skip(1))
}
