//! What the program can be told to do.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mcp_token_service::config::{self, Config, Outside};
use mcp_token_service::credentials::Credentials;
use mcp_token_service::storage::Storage;
use mcp_token_service::vault::{EncryptionKey, Vault};

const USAGE: &str = "\
usage: mcp-token-service COMMAND [--config FILE]

  check         say whether the configuration can be used
  generate-key  print a new encryption key
  rewrap        wrap every data key with the writing key

FILE may also be named by the environment variable MCP_TOKEN_SERVICE_CONFIG.
";

enum Command {
    Check(PathBuf),
    GenerateKey,
    Rewrap(PathBuf),
    Help,
}

/// Runs the command that the arguments name. Errors go to standard error.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    let result = parse(arguments).and_then(|command| match command {
        Command::Check(path) => read(&path).and_then(|_| print("the configuration can be used\n")),
        Command::GenerateKey => generate_key(),
        Command::Rewrap(path) => read(&path).and_then(rewrap),
        Command::Help => print(USAGE),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            complain(&problem);
            ExitCode::FAILURE
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let Some(name) = arguments.next() else {
        return Err(USAGE.to_owned());
    };
    let path = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => std::env::var_os("MCP_TOKEN_SERVICE_CONFIG").map(PathBuf::from),
        (Some("--config"), Some(path)) => Some(PathBuf::from(path)),
        _ => return Err(USAGE.to_owned()),
    };
    if arguments.next().is_some() {
        return Err(USAGE.to_owned());
    }
    let path = || path.ok_or_else(|| format!("no configuration file is named\n\n{USAGE}"));
    match name.as_str() {
        "check" => Ok(Command::Check(path()?)),
        "generate-key" => Ok(Command::GenerateKey),
        "rewrap" => Ok(Command::Rewrap(path()?)),
        "help" | "--help" | "-h" => Ok(Command::Help),
        _ => Err(USAGE.to_owned()),
    }
}

fn read(path: &Path) -> Result<Config, String> {
    let bytes = std::fs::read(path).map_err(|problem| format!("{}: {problem}", path.display()))?;
    let outside = Outside {
        environment: &|name| std::env::var(name).ok(),
        file: &|path| std::fs::read(path),
    };
    config::parse(&bytes, outside).map_err(|errors| {
        let lines: Vec<String> = errors
            .iter()
            .map(|error| format!("{}: {error}", path.display()))
            .collect();
        lines.join("\n")
    })
}

fn generate_key() -> Result<(), String> {
    let key = EncryptionKey::generate().map_err(|problem| problem.to_string())?;
    print(&key.to_text())?;
    print("\n")
}

/// Afterwards, keys other than the writing key are not needed, unless a secret
/// could not be opened: then this is a failure.
fn rewrap(config: Config) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|problem| problem.to_string())?;
    let report = runtime.block_on(async {
        let storage = Storage::open(&config.database).await?;
        let credentials = Credentials::new(storage, Vault::new(config.keyring));
        let report = credentials.rewrap().await;
        credentials.storage().close().await;
        report
    });
    let report = report.map_err(|problem| problem.to_string())?;
    print(&format!(
        "{} secrets rewrapped, {} had the writing key already\n",
        report.rewrapped, report.current
    ))?;
    if report.failed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} secrets could not be opened; keep their keys\n{}",
        report.failed.len(),
        report.failed.join("\n")
    ))
}

fn print(text: &str) -> Result<(), String> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|problem| problem.to_string())
}

fn complain(problem: &str) {
    // Nobody is left to tell that this failed.
    let _ = writeln!(std::io::stderr(), "{}", problem.trim_end());
}
