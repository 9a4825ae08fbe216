//! `cargo xtask fetch-data` as a process, against a server on this machine that behaves as servers
//! do on bad days.

mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use server::{Server, body};
use sha2::{Digest, Sha256};

/// A data folder whose manifest lists two files at these mirrors of `server`.
struct Bench {
    folder: tempfile::TempDir,
    server: Server,
}

const FILES: [&str; 2] = ["one.h5", "two.h5"];

fn bench(mirrors: &[&str]) -> Bench {
    let bench = Bench { folder: tempfile::tempdir().expect("a folder"), server: Server::start() };
    let mirrors: Vec<String> =
        mirrors.iter().map(|path| format!("\"{}\"", bench.server.url(path))).collect();
    let files = FILES.map(|name| {
        let content = body(name);
        let sha256 = Sha256::digest(&content)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .concat();
        format!(
            "[[set.file]]\nname = \"{name}\"\nbytes = {}\nsha256 = \"{sha256}\"\n",
            content.len()
        )
    });
    let manifest = format!(
        "[[set]]\nname = \"cat\"\nabout = \"cats\"\nmirrors = [{}]\n{}",
        mirrors.join(", "),
        files.concat()
    );
    fs::write(bench.path("manifest.toml"), manifest).expect("write the manifest");
    bench
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        self.patient_command(args, ["0.5", "2"])
    }

    /// Waits that many seconds for the next byte, and for a whole file.
    fn patient_command(&self, args: &[&str], [stall, whole]: [&str; 2]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("fetch-data").args(args).arg("--manifest").arg(self.path("manifest.toml"));
        command.arg("--allow-http").args(["--connect-timeout", "5"]);
        command.args(["--stall-timeout", stall, "--file-timeout", whole]);
        // The server is on this machine, whatever stands between it and others.
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        Run::from(&self.command(args).output().expect("xtask starts"))
    }

    /// What is in the data folder, the manifest aside.
    fn listing(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("the data folder");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .filter(|name| name != "manifest.toml")
            .collect();
        names.sort();
        names
    }

    fn assert_complete(&self) {
        assert_eq!(self.listing(), FILES);
        for name in FILES {
            assert!(fs::read(self.path(name)).expect(name) == body(name), "{name}");
        }
    }
}

struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    fn from(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    fn succeeds(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Exit code 2, with these words in the message.
    #[track_caller]
    fn fails_with(&self, words: &str) -> &Self {
        assert_eq!(self.code, Some(2), "{}", self.stderr);
        self.says(words)
    }

    #[track_caller]
    fn says(&self, words: &str) -> &Self {
        assert!(self.stderr.contains(words), "expected `{words}` in:\n{}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }
}

/// A mirror that fails in this way alone fails the task and leaves nothing; a good one after it
/// saves the day.
#[track_caller]
fn check_fault(mirror: &str, reason: &str) {
    let alone = bench(&[mirror]);
    let place = alone.server.url(&format!("{mirror}one.h5"));
    alone
        .run(&[])
        .fails_with(&format!("{place}: {reason}"))
        .says("one.h5: no source has it")
        .says("cargo xtask fetch-data cat --from DIR-OR-URL");
    assert_eq!(alone.listing(), [""; 0]);

    let followed = bench(&[mirror, "good/"]);
    followed.run(&[]).succeeds().says(&format!("failed: {reason}"));
    followed.assert_complete();
    let again = followed.server.requests().iter().any(|r| r.ends_with(&format!("{mirror}two.h5")));
    assert!(!again, "the mirror that worked is asked first for the second file");
}

#[test]
fn a_good_mirror() {
    let bench = bench(&["good/"]);
    let run = bench.run(&["cat"]);
    run.succeeds();
    bench.assert_complete();
    assert!(run.stdout.contains("one.h5: 200000 bytes, verified"), "{}", run.stdout);
    assert!(!run.stderr.contains('\x1b'), "no escape codes where there is no terminal");
}

#[test]
fn a_mirror_that_says_not_found() {
    check_fault("404/", "HTTP 404 Not Found");
}

#[test]
fn a_mirror_that_breaks_off() {
    check_fault("short/", "truncated: 100000 of 200000 bytes");
}

#[test]
fn a_mirror_that_has_half_the_file() {
    check_fault("half/", "truncated: 100000 of 200000 bytes");
}

#[test]
fn a_mirror_with_wrong_bytes_of_the_right_length() {
    check_fault("wrong/", "the right size, but SHA-256 ");
}

#[test]
fn a_mirror_that_serves_a_page() {
    check_fault("html/", "an HTML page instead of the file");
}

#[test]
fn a_mirror_that_serves_a_pointer() {
    check_fault("lfs/", "a Git LFS pointer instead of the file");
}

#[test]
fn a_mirror_that_stalls() {
    check_fault("stall/", "stalled: no byte for 0.5 s, after 100000 of 200000 bytes");
}

#[test]
fn a_mirror_that_never_answers() {
    check_fault("silent/", "no answer within 0.5 s");
}

#[test]
fn a_mirror_that_drips() {
    check_fault("drip/", "too slow: ");
}

#[test]
fn a_mirror_that_never_ends_is_cut_off_at_once() {
    let start = Instant::now();
    check_fault("endless/", "more than the expected 200000 bytes; cut off");
    assert!(start.elapsed() < Duration::from_secs(2), "not by the time limit");
}

#[test]
fn a_mirror_that_hangs_up() {
    check_fault("hang-up/", "io: Peer disconnected");
}

#[test]
fn a_mirror_that_redirects_for_ever() {
    check_fault("circle/", "too many redirects");
}

#[test]
fn a_redirect_is_followed() {
    let bench = bench(&["redirect/"]);
    bench.run(&[]).succeeds();
    bench.assert_complete();
}

#[test]
fn http_mirrors_are_refused() {
    let bench = bench(&["good/"]);
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["fetch-data", "--manifest"])
        .arg(bench.path("manifest.toml"))
        .output()
        .expect("xtask starts");
    Run::from(&output).fails_with("must be https://…/");
    assert!(bench.server.requests().is_empty());
}

#[test]
fn what_is_there_and_right_is_left_alone() {
    let bench = bench(&["good/"]);
    bench.run(&[]).succeeds();
    let n_asked = bench.server.requests().len();
    let run = bench.run(&[]);
    run.succeeds();
    assert_eq!(run.stdout.matches("already there, verified").count(), 2, "{}", run.stdout);
    assert_eq!(bench.server.requests().len(), n_asked, "no request");

    bench.run(&["--force"]).succeeds();
    assert_eq!(bench.server.requests().len(), n_asked + 2, "--force asks again");
    bench.assert_complete();
}

#[test]
fn what_is_there_and_wrong_is_replaced() {
    for wrong in [b"<!DOCTYPE html>".to_vec(), vec![0; 200_000], Vec::new()] {
        let bench = bench(&["good/"]);
        fs::write(bench.path("one.h5"), wrong).expect("write a wrong file");
        bench.run(&[]).succeeds().says("one.h5: there, but wrong (");
        bench.assert_complete();
    }
}

#[test]
fn what_is_there_stays_when_nothing_better_comes() {
    let bench = bench(&["404/"]);
    fs::write(bench.path("one.h5"), "mine").expect("write a wrong file");
    bench.run(&[]).fails_with("the file that is there was left as it is");
    assert_eq!(fs::read(bench.path("one.h5")).expect("one.h5"), b"mine");
    assert_eq!(bench.listing(), ["one.h5"]);
}

#[test]
fn an_interrupted_run_leaves_no_file_and_the_next_one_cleans_up() {
    let bench = bench(&["stall/"]);
    let mut child = bench
        .patient_command(&[], ["60", "60"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("xtask starts");
    let start = Instant::now();
    while !bench
        .listing()
        .iter()
        .any(|name| fs::metadata(bench.path(name)).is_ok_and(|metadata| metadata.len() == 100_000))
    {
        assert!(start.elapsed() < Duration::from_secs(20), "half a file never came");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().expect("kill our child");
    child.wait().expect("wait for our child");
    let left = bench.listing();
    assert!(left.len() == 1 && left[0].starts_with(".one.h5."), "{left:?}");

    fs::write(bench.path(".mine.part"), "").expect("write another's file");
    let from = bench.server.url("good/");
    bench.run(&["--from", &from]).succeeds().says("left by an interrupted run, removed");
    assert_eq!(bench.listing(), [".mine.part", "one.h5", "two.h5"], "only our leftovers go");
}

#[test]
fn from_a_folder() {
    let bench = bench(&["404/"]);
    let source = tempfile::tempdir().expect("a folder");
    for name in FILES {
        fs::write(source.path().join(name), body(name)).expect(name);
    }
    let from = source.path().to_str().expect("UTF-8");
    bench.run(&["--from", from]).succeeds();
    bench.assert_complete();
    assert!(bench.server.requests().is_empty(), "--from asks nobody else");
}

#[test]
fn from_a_folder_with_bad_files() {
    let source = tempfile::tempdir().expect("a folder");
    let from = source.path().to_str().expect("UTF-8");
    let one = source.path().join("one.h5");
    let bench = bench(&["good/"]);
    let fails_with = |reason: &str| {
        bench.run(&["--from", from]).fails_with(&format!("{}: {reason}", one.display()));
        assert_eq!(bench.listing(), [""; 0]);
    };
    fails_with("not found");
    fs::write(&one, "version https://git-lfs.github.com/spec/v1\n").expect("write");
    fails_with("a Git LFS pointer instead of the file");
    fs::write(&one, vec![0; 300_000]).expect("write");
    fails_with("more than the expected 200000 bytes");
    fs::remove_file(&one).expect("remove");
    fs::create_dir(&one).expect("make a folder of that name");
    fails_with("not a file");
}

#[test]
fn from_another_base_url() {
    let bench = bench(&["404/"]);
    bench.run(&["--from", bench.server.url("good").as_str()]).succeeds();
    bench.assert_complete();
}

#[test]
fn from_somewhere_unusable() {
    let bench = bench(&["good/"]);
    bench.run(&["--from", "ftp://example.org/"]).fails_with("ftp is not supported");
    bench.run(&["--from", "no-such-folder"]).fails_with("no such folder");
    // A port that nobody listens on: bound, and let go again.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    drop(listener);
    bench.run(&["--from", &format!("http://{address}/")]).fails_with("one.h5: no source has it");
    assert_eq!(bench.listing(), [""; 0]);
}

#[test]
fn an_unknown_set_is_answered_with_the_nearest() {
    let bench = bench(&["good/"]);
    bench
        .run(&["cta"])
        .fails_with("no data set is called `cta`; did you mean `cat`?")
        .says("cat      cats");
    let run = bench.run(&["imagenet"]);
    run.fails_with("no data set is called `imagenet`");
    assert!(!run.stderr.contains("did you mean"), "{}", run.stderr);
}

#[test]
fn a_folder_in_the_way_is_named() {
    let bench = bench(&["good/"]);
    fs::create_dir_all(bench.path("one.h5/inner")).expect("make a folder of that name");
    bench.run(&[]).fails_with("one.h5: rename failed");
    assert_eq!(bench.listing(), ["one.h5"]);
}

/// Root may write anywhere, so the folder is one that nobody can write to.
#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_cannot_be_written_to_is_named() {
    let bench = bench(&["good/"]);
    let text = fs::read_to_string(bench.path("manifest.toml")).expect("the manifest");
    let text = text.replacen("about", "folder = \"in-the-way\"\nabout", 1);
    fs::write(bench.path("manifest.toml"), text).expect("write the manifest");
    fs::write(bench.path("in-the-way"), "").expect("a file where the folder should be");
    bench.run(&[]).fails_with("in-the-way: create folder failed");

    fs::remove_file(bench.path("in-the-way")).expect("remove");
    std::os::unix::fs::symlink("/proc/self", bench.path("in-the-way")).expect("link");
    bench.run(&[]).fails_with("in-the-way/one.h5: create failed");
    assert!(bench.server.requests().is_empty(), "known before anything is fetched");
}

/// A limit on file sizes makes the write fail in the middle, as a full disk does.
#[test]
#[cfg(unix)]
fn a_write_that_fails_leaves_nothing_and_tries_no_other_mirror() {
    let bench = bench(&["good/", "redirect/"]);
    let command = bench.command(&[]);
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args())
        .output()
        .expect("sh starts");
    Run::from(&output).fails_with("one.h5: write failed: File too large");
    assert_eq!(bench.listing(), [""; 0]);
    assert_eq!(bench.server.requests().len(), 1);
}

#[test]
fn all_files_come_even_if_nobody_reads_the_results() {
    let bench = bench(&["good/"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = bench.command(&[]).stdout(writer).status().expect("xtask starts");
    assert!(status.success());
    bench.assert_complete();
}

#[test]
fn two_runs_at_once_do_not_harm_each_other() {
    let bench = bench(&["good/"]);
    let children: Vec<_> = (0..4)
        .map(|_| bench.command(&[]).stdout(std::process::Stdio::null()).spawn().expect("starts"))
        .collect();
    for mut child in children {
        assert!(child.wait().expect("wait for our child").success());
    }
    bench.assert_complete();
    assert_eq!(bench.server.requests().len(), 2, "the first fetches, the others find");
}

#[test]
fn the_data_folder_is_made_readable_for_others() {
    let bench = bench(&["good/"]);
    bench.run(&[]).succeeds();
    let read = |path: &Path| fs::metadata(path).expect("metadata").permissions();
    assert_eq!(read(&bench.path("one.h5")), read(&bench.path("manifest.toml")));
}
