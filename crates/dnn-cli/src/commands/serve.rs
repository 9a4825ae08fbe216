//! `dnn serve`.

use crate::console::{Console, warn};
use crate::file::read_text;
use crate::{interrupt, run};
use anyhow::{Context, bail, ensure};
use dnn_data::Shown;
use dnn_serve::{Ending, LoadError, Options, Server};
use serde::Serialize;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The variable that may hold the token.
const TOKEN_VARIABLE: &str = "DNN_TOKEN";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model files or folders of runs; NAME=MODEL serves one under a name of its own
    #[arg(value_name = "MODEL", required = true, value_parser = named)]
    models: Vec<(String, PathBuf)>,
    /// The address to listen on; 0.0.0.0 or :: are all of this machine
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// The port to listen on; 0 takes any that is free
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// A name that clients may know this server by, besides localhost and addresses in numbers
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// A file with the token that clients must show [default: the variable DNN_TOKEN, else none]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Memory for the bodies and the decoded images of all requests together, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 240, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    memory: u64,
    /// The longest body of a request, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=4096))]
    max_body: u64,
    /// Requests that may wait for a thread or have one; others are refused
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    queue: u32,
    /// Threads that compute [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// The longest that a client may take to send a request's headers, and a connection may be idle, in
    /// seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    header_time: u32,
    /// The longest that a client may take to send a body, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    body_time: u32,
    /// The longest that open requests are waited for at the end, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    drain_time: u32,
}

#[derive(Serialize)]
struct Listening<'a> {
    url: String,
    models: Vec<&'a str>,
    needs_token: bool,
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    let token = token(args.token_file.as_deref())?;
    let needs_token = token.is_some();
    raise_open_files();
    let mut options = Options {
        allowed_hosts: args.allow_host.clone(),
        token,
        max_body_bytes: args.max_body << 20,
        memory_bytes: args.memory << 20,
        n_places: args.queue as usize,
        header_time: Duration::from_secs(args.header_time.into()),
        body_time: Duration::from_secs(args.body_time.into()),
        drain_time: Duration::from_secs(args.drain_time.into()),
        page: Some(dnn_page::served()),
        ..Options::default()
    };
    options.n_threads = args.threads.map_or(options.n_threads, |n| n as usize);
    let models = args.models.clone();
    let load = move || {
        let read = |(name, path): &(String, PathBuf)| {
            Ok((name.clone(), run::read_model(path).map_err(LoadError::from)?.0))
        };
        models.iter().map(read).collect()
    };
    let address = SocketAddr::new(args.host, args.port);
    let server = Server::bind(address, options, Box::new(load), std::io::stderr())?;
    let (stopping, reloading) = (server.control(), server.control());
    let listener = interrupt::listener(move || stopping.stop(), move || reloading.reload())?;
    std::thread::spawn(listener);
    let url = format!("http://{}/", server.address().context("no address")?);
    if !args.host.is_loopback() && !needs_token {
        warn(format!(
            "anyone who reaches {url} can use it: give a token with --token-file or {TOKEN_VARIABLE}"
        ));
    }
    let names: Vec<_> = args.models.iter().map(|(name, _)| name.as_str()).collect();
    console.text(format!("Serving {} on {url}", names.join(", ")))?;
    console.json(&Listening { url, models: names, needs_token })?;
    Ok(match server.run()? {
        Ending::Drained => ExitCode::SUCCESS,
        Ending::CutOff => interrupt::exit_code(),
    })
}

/// NAME=MODEL, or a model under the name of its run or file.
#[expect(clippy::unnecessary_wraps, reason = "what clap calls to read a value")]
fn named(text: &str) -> Result<(String, PathBuf), String> {
    let path = PathBuf::from(text);
    if !path.exists()
        && let Some((name, path)) = text.split_once('=')
    {
        return Ok((name.to_owned(), path.into()));
    }
    let name = run::model_name(&path);
    let fits = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    Ok((name.chars().map(fits).collect(), path))
}

/// The token in the file, else in the variable.
fn token(file: Option<&Path>) -> anyhow::Result<Option<String>> {
    let (token, place) = match (file, std::env::var_os(TOKEN_VARIABLE)) {
        (Some(file), _) => {
            let read = || format!("{}: cannot read the token", file.shown());
            (read_text(file).with_context(read)?, file.shown().to_string())
        }
        (None, Some(token)) => match token.into_string() {
            Ok(token) => (token, TOKEN_VARIABLE.to_owned()),
            Err(_) => bail!("{TOKEN_VARIABLE}: expected a token in ASCII"),
        },
        (None, None) => return Ok(None),
    };
    let token = token.trim().to_owned();
    let fits = |c: char| c.is_ascii_graphic();
    ensure!(
        !token.is_empty() && token.chars().all(fits),
        "{place}: expected a token of ASCII letters, digits and signs, without spaces"
    );
    Ok(Some(token))
}

/// As many open files, and with them connections, as the system lets this process have.
fn raise_open_files() {
    #[cfg(unix)]
    {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: both calls read and write the structure that they are given, and nothing else.
        unsafe {
            if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
                limit.rlim_cur = limit.rlim_max;
                // Where it stays as it was, there are fewer connections.
                libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_called_as_its_run_or_as_asked() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = folder.path().join("my run");
        std::fs::create_dir(&run).expect("a folder");
        let file = run.join(run::MODEL);
        std::fs::write(&file, "").expect("a file");
        let name = |path: &Path| named(path.to_str().expect("Unicode")).expect("a name").0;
        assert_eq!(name(&run), "my-run");
        assert_eq!(name(&file), "my-run");
        assert_eq!(name(&folder.path().join("a.b.safetensors")), "a.b");
        let (own, path) = named("cats=runs/x").expect("a name");
        assert_eq!((own.as_str(), path), ("cats", PathBuf::from("runs/x")));
    }

    #[test]
    fn a_token_is_one_word() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        std::fs::write(&file, "s3cret\n").expect("a file");
        assert_eq!(token(Some(&file)).expect("a token"), Some("s3cret".into()));
        for bad in ["", " \n", "two words", "é"] {
            std::fs::write(&file, bad).expect("a file");
            assert!(token(Some(&file)).is_err(), "{bad:?}");
        }
    }
}
