//! What systemd is told: that we are up, that we stop, and that all is well (sd_notify(3)). Without systemd nothing is sent.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use tracing::{debug, warn};

/// Everything is open and the loop turns.
pub fn ready() {
    tell("READY=1");
}

/// We were asked to stop, or to start anew.
pub fn stopping() {
    tell("STOPPING=1");
}

/// One line for `systemctl status`.
pub fn status(line: &str) {
    tell(&format!("STATUS={}", line.replace('\n', " ")));
}

fn tell(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(&socket, state) {
        debug!(%error, state, "systemd was not told");
    }
}

/// Never waits: a watchdog that blocks the loop that it watches would be a poor one.
fn send(socket: &OsStr, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let from = UnixDatagram::unbound()?;
    from.set_nonblocking(true)?;
    from.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}

/// Feeds systemd's watchdog. The app's loop turns it; only while sound flows is it fed, so that a hang of either one ends in a restart.
#[derive(Debug)]
pub struct Watchdog {
    every: Duration,
    fed: Option<Instant>,
    starving: bool,
}

impl Watchdog {
    /// The watchdog that systemd asks for, if it does (`WatchdogSec=` in the unit) and if it means us.
    pub fn from_environment() -> Option<Watchdog> {
        let read = |name| std::env::var(name).ok();
        Watchdog::new(read("WATCHDOG_USEC").as_deref(), read("WATCHDOG_PID").as_deref(), std::process::id())
    }

    fn new(usec: Option<&str>, pid: Option<&str>, we_are: u32) -> Option<Watchdog> {
        if pid.is_some_and(|pid| pid.parse() != Ok(we_are)) {
            return None;
        }
        let patience = Duration::from_micros(usec?.parse().ok().filter(|usec| *usec > 0)?);
        // sd_watchdog_enabled(3) asks for half; a third leaves room for a loop that turns only now and then.
        Some(Watchdog { every: patience / 3, fed: None, starving: false })
    }

    /// The loop turned once more; call it at least each second. A card that is being looked for counts as flowing: that is a state, not a hang.
    pub fn turn(&mut self, sound_flows: bool) {
        if !sound_flows && !self.starving {
            warn!("no sound flows; systemd will restart us if that lasts");
        }
        if self.is_due(sound_flows, Instant::now()) {
            tell("WATCHDOG=1");
        }
    }

    fn is_due(&mut self, sound_flows: bool, now: Instant) -> bool {
        self.starving = !sound_flows;
        let due = sound_flows && self.fed.is_none_or(|at| now.duration_since(at) >= self.every);
        if due {
            self.fed = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_socket_gets_the_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), "READY=1").unwrap();
        let mut words = [0; 64];
        let n = systemd.recv(&mut words).unwrap();
        assert_eq!(&words[..n], b"READY=1");
    }

    #[test]
    fn an_abstract_socket_gets_them_too() {
        let name = format!("hark-test-{}", std::process::id());
        let systemd = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(OsStr::new(&format!("@{name}")), "STOPPING=1").unwrap();
        let mut words = [0; 64];
        let n = systemd.recv(&mut words).unwrap();
        assert_eq!(&words[..n], b"STOPPING=1");
    }

    #[test]
    fn nobody_there_is_an_error_and_no_wait() {
        assert!(send(OsStr::new("/nowhere/notify"), "READY=1").is_err());
    }

    #[test]
    fn the_watchdog_is_ours_and_has_a_time() {
        assert_eq!(Watchdog::new(Some("30000000"), None, 7).unwrap().every, Duration::from_secs(10));
        assert!(Watchdog::new(Some("30000000"), Some("7"), 7).is_some());
        assert!(Watchdog::new(Some("30000000"), Some("8"), 7).is_none());
        assert!(Watchdog::new(Some("0"), None, 7).is_none());
        assert!(Watchdog::new(Some("often"), None, 7).is_none());
        assert!(Watchdog::new(None, None, 7).is_none());
    }

    #[test]
    fn it_is_fed_now_and_then_and_only_while_sound_flows() {
        let mut watchdog = Watchdog::new(Some("30000000"), None, 7).unwrap();
        let start = Instant::now();
        let mut fed = Vec::new();
        for s in 0..60 {
            let sound_flows = !(25..40).contains(&s);
            if watchdog.is_due(sound_flows, start + Duration::from_secs(s)) {
                fed.push(s);
            }
        }
        assert_eq!(fed, [0, 10, 20, 40, 50]);
    }
}
