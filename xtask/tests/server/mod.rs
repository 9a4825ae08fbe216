//! A server on this machine whose first path segment says how it behaves.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What a good mirror serves under that name: 200,000 bytes.
pub(crate) fn body(name: &str) -> Vec<u8> {
    let seed = name.bytes().map(usize::from).sum::<usize>();
    (0..200_000).map(|i| ((i * 31 + i / 251 + seed) % 256) as u8).collect()
}

/// Listens until the test's process ends.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of this machine");
        let address = listener.local_addr().expect("its address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                // A client that goes away is no fault of the test.
                thread::spawn(move || answer(stream, &seen).ok());
            }
        });
        Self { address, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// The paths asked for so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no thread panicked").clone()
    }
}

fn answer(mut stream: TcpStream, seen: &Mutex<Vec<String>>) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
    while line.trim() != "" {
        line.clear();
        reader.read_line(&mut line)?;
    }
    seen.lock().expect("no thread panicked").push(path.clone());

    let (behaviour, name) = path.trim_start_matches('/').split_once('/').unwrap_or(("404", ""));
    let good = body(name);
    let half = &good[..good.len() / 2];
    match behaviour {
        "good" => whole(&mut stream, "200 OK", &good),
        "404" => whole(&mut stream, "404 Not Found", b"<html>no such page</html>"),
        "short" => {
            head(&mut stream, "200 OK", Some(good.len()), "")?;
            stream.write_all(half)
        }
        "half" => {
            head(&mut stream, "200 OK", None, "")?;
            stream.write_all(half)
        }
        "wrong" => {
            let wrong: Vec<u8> = good.iter().map(|byte| !byte).collect();
            whole(&mut stream, "200 OK", &wrong)
        }
        "html" => whole(&mut stream, "200 OK", b"<!DOCTYPE html>\n<html>sign in</html>"),
        "lfs" => whole(
            &mut stream,
            "200 OK",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 200000\n",
        ),
        "stall" => {
            head(&mut stream, "200 OK", Some(good.len()), "")?;
            stream.write_all(half)?;
            wait_for_the_client_to_go(reader)
        }
        "silent" => wait_for_the_client_to_go(reader),
        "drip" => {
            head(&mut stream, "200 OK", Some(good.len()), "")?;
            for byte in good {
                stream.write_all(&[byte])?;
                thread::sleep(Duration::from_millis(50));
            }
            Ok(())
        }
        "endless" => {
            head(&mut stream, "200 OK", None, "")?;
            loop {
                stream.write_all(&good)?;
            }
        }
        "hang-up" => Ok(()),
        "redirect" => {
            let location = format!("Location: /good/{name}\r\n");
            head(&mut stream, "302 Found", Some(0), &location)
        }
        "circle" => head(&mut stream, "302 Found", Some(0), &format!("Location: {path}\r\n")),
        other => whole(&mut stream, "500 Internal Server Error", other.as_bytes()),
    }
}

fn head(stream: &mut TcpStream, status: &str, length: Option<usize>, more: &str) -> Result<()> {
    let length = length.map(|n| format!("Content-Length: {n}\r\n")).unwrap_or_default();
    write!(stream, "HTTP/1.1 {status}\r\n{length}{more}Connection: close\r\n\r\n")
}

fn whole(stream: &mut TcpStream, status: &str, content: &[u8]) -> Result<()> {
    head(stream, status, Some(content.len()), "")?;
    stream.write_all(content)
}

fn wait_for_the_client_to_go(mut reader: BufReader<TcpStream>) -> Result<()> {
    reader.read_to_end(&mut Vec::new()).map(|_| ())
}
