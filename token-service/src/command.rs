//! What the program can be told to do.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mcp_token_service::clock::Clock;
use mcp_token_service::config::{self, Config, Outside};
use mcp_token_service::credentials::Credentials;
use mcp_token_service::service::Service;
use mcp_token_service::storage::Storage;
use mcp_token_service::telemetry;
use mcp_token_service::vault::{EncryptionKey, Vault};

const USAGE: &str = "\
usage: mcp-token-service COMMAND [--config FILE]

  serve         run the service until SIGTERM or SIGINT
  check         say whether the configuration can be used
  generate-key  print a new encryption key
  rewrap        wrap every data key with the writing key

FILE may also be named by the environment variable MCP_TOKEN_SERVICE_CONFIG.
";

enum Command {
    Check(PathBuf),
    GenerateKey,
    Rewrap(PathBuf),
    Serve(PathBuf),
    Help,
}

/// Runs the command that the arguments name. Errors go to standard error.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    let result = parse(arguments).and_then(|command| match command {
        Command::Check(path) => read(&path).and_then(|_| print("the configuration can be used\n")),
        Command::GenerateKey => generate_key(),
        Command::Rewrap(path) => read(&path).and_then(rewrap),
        Command::Serve(path) => read(&path).and_then(serve),
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
        "serve" => Ok(Command::Serve(path()?)),
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

/// Runs until it is told to stop. Logs go to standard error.
fn serve(config: Config) -> Result<(), String> {
    telemetry::start_logs()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|problem| problem.to_string())?;
    runtime.block_on(async {
        // Before anything is done that a signal would have to end well.
        let stop = told_to_stop().map_err(|problem| problem.to_string())?;
        let service = Service::start(config, Clock::system())
            .await
            .map_err(|problem| problem.to_string())?;
        service
            .run(stop)
            .await
            .map_err(|problem| problem.to_string())
    })
}

/// Ends with the first SIGTERM or SIGINT.
#[cfg(unix)]
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Ends with Ctrl-C.
#[cfg(not(unix))]
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
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
