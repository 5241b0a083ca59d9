//! Programs that a test runs beside itself: their output goes to a file, and they end with the test, however it ends.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How many lines of each program's output a failed test shows.
const LINES_SHOWN: usize = 60;

/// A running program.
pub struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts `command`, its output and errors in `folder/<name>.log`.
    pub fn start(name: &str, folder: &Path, command: &mut Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log).expect("log file");
        command.stdout(out.try_clone().expect("log file")).stderr(out);
        Self { name: name.to_owned(), child: spawn(command.stdin(Stdio::null())), log }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has printed so far.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until it has printed `text`.
    pub fn wait_for(&mut self, text: &str, within: Duration) {
        let what = format!("{} to print `{text}`", self.name);
        eventually(&what, within, || {
            let printed = self.printed().contains(text);
            if !printed && let Some(status) = self.child.try_wait().expect("wait") {
                panic!("{} ended ({status}) before it printed `{text}`:\n{}", self.name, self.printed());
            }
            printed.then_some(())
        })
    }

    /// Whether it runs.
    pub fn alive(&mut self) -> bool {
        self.child.try_wait().expect("wait").is_none()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: a signal to a child that has not been waited for.
        unsafe { libc::kill(self.pid() as i32, signal) };
    }

    /// Waits for its end.
    pub fn ended(&mut self, within: Duration) -> ExitStatus {
        let what = format!("{} to end", self.name);
        eventually(&what, within, || self.child.try_wait().expect("wait"))
    }

    /// Ends it now.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let printed = self.printed();
            let lines: Vec<&str> = printed.lines().collect();
            let from = lines.len().saturating_sub(LINES_SHOWN);
            eprintln!("---- {} (last {} of {} lines)", self.name, lines.len() - from, lines.len());
            for line in &lines[from..] {
                eprintln!("     {line}");
            }
        }
    }
}

/// Starts a program that the kernel ends when this process does.
pub fn spawn(command: &mut Command) -> Child {
    // SAFETY: prctl is async-signal-safe and touches only the new process.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    command.spawn().unwrap_or_else(|error| {
        panic!("cannot start {:?}: {error}; `tools/deps.sh test` installs what the tests need", command.get_program())
    })
}

/// Runs a program to its end and gives what it printed.
pub fn output(command: &mut Command) -> String {
    let out = command.output().unwrap_or_else(|error| {
        panic!("cannot start {:?}: {error}; `tools/deps.sh test` installs what the tests need", command.get_program())
    });
    assert!(out.status.success(), "{command:?}: {}\n{}", out.status, String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Asks again and again until there is an answer; panics when there is none in time.
#[track_caller]
pub fn eventually<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < within, "waited {within:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A UDP and TCP port of the loopback address that nobody uses now.
pub fn free_port() -> u16 {
    loop {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = tcp.local_addr().expect("address").port();
        if std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Even first port of a range that nobody else of this run gets, for RTP.
pub fn free_range(n_ports: u16) -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = (std::process::id() % 97) as u16 * 20;
    10_000 + (offset + NEXT.fetch_add(n_ports, Relaxed)) % 20_000 / 2 * 2
}
