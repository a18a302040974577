//! A database for a test: of each kind one that nothing else uses.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use mcp_token_service::config::Database;
use mcp_token_service::secret::Secret;
use sqlx::Connection;
use tempfile::TempDir;

/// A new SQLite file. The directory goes with the value.
pub(crate) fn sqlite() -> Option<(Database, Option<TempDir>)> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data").join("test.sqlite");
    Some((Database::Sqlite(path), Some(directory)))
}

/// A new database in a PostgreSQL server that this process starts. `None`, said
/// aloud, where PostgreSQL is not installed; in CI that is a failure.
pub(crate) fn postgres() -> Option<(Database, Option<TempDir>)> {
    static DATABASES: AtomicU32 = AtomicU32::new(0);
    let Some(server) = server() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "PostgreSQL is not installed (Debian: apt-get install postgresql)"
        );
        // Past the capture of the test's output.
        let _ = writeln!(
            std::io::stderr(),
            "NOT RUN: a test on PostgreSQL, which is not installed (Debian: postgresql)"
        );
        return None;
    };
    let name = format!("test{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let url = |database: &str| {
        let host = server.socket.display();
        format!("postgres://tester@localhost/{database}?host={host}")
    };
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    let admin = url("postgres");
    // A runtime of its own: this is called from within one.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut connection = sqlx::PgConnection::connect(&admin).await.unwrap();
            sqlx::query(create).execute(&mut connection).await.unwrap();
        });
    })
    .join()
    .unwrap();
    let database = Database::Postgres {
        url: Secret::new(url(&name)),
        connections: 10,
    };
    Some((database, None))
}

struct Server {
    socket: PathBuf,
    /// The server ends when the process at the other end of its input does.
    _process: Child,
}

fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER
        .get_or_init(|| programs().map(|path| start(&path)))
        .as_ref()
}

fn start(programs: &Path) -> Server {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/postgres.sh");
    let script = std::fs::read_to_string(script).unwrap();
    // PostgreSQL does not run as root; the script may be where its user
    // cannot read.
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let mut command = if root {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    let mut process = command
        .args(["-c", &script, "postgres.sh"])
        .arg(programs)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let socket = line.trim_end().strip_prefix("ready ");
    Server {
        socket: socket.expect("PostgreSQL starts").into(),
        _process: process,
    }
}

/// Where the programs are: Debian keeps them off the PATH.
fn programs() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .map(|version| version.unwrap().path().join("bin"))
        .chain(std::env::split_paths(&on_path))
        .find(|directory| {
            ["initdb", "postgres", "pg_isready"]
                .iter()
                .all(|program| directory.join(program).exists())
        })
}

/// Makes of each function a test on SQLite and one on PostgreSQL.
#[macro_export]
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some((database, _directory)) = $crate::support::sqlite() {
                    super::$name(database).await;
                }
            })+
        }

        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some((database, _directory)) = $crate::support::postgres() {
                    super::$name(database).await;
                }
            })+
        }
    };
}
