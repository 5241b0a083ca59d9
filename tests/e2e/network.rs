//! A switch with a cable to each speaker: network namespaces on a bridge. Only where root may make them.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::children::output;

/// The switch; everything is taken away again when it is dropped.
pub struct Network {
    bridge: String,
    /// Second and third part of the addresses.
    prefix: String,
    n_cables: usize,
}

impl Network {
    /// Lays cables to so many speakers; says why where that is not possible.
    pub fn lay(n_cables: usize) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = (std::process::id() * 8 + COUNT.fetch_add(1, Relaxed)) % 16_000;
        let network = Self { bridge: format!("hk{n}"), prefix: format!("10.{}.{}", 64 + n / 250, n % 250), n_cables };
        ip(&["link", "add", &network.bridge, "type", "bridge", "mcast_snooping", "0"])?;
        ip(&["addr", "add", &format!("{}.1/24", network.prefix), "dev", &network.bridge])?;
        ip(&["link", "set", &network.bridge, "up"])?;
        for i in 0..n_cables {
            let (name, here, there) = (network.namespace(i), network.cable(i), format!("{}e", network.cable(i)));
            ip(&["netns", "add", &name])?;
            ip(&["link", "add", &here, "type", "veth", "peer", "name", &there])?;
            ip(&["link", "set", &there, "netns", &name])?;
            ip(&["link", "set", &here, "master", &network.bridge])?;
            ip(&["link", "set", &here, "up"])?;
            ip(&["-n", &name, "addr", "add", &format!("{}/24", network.address_of(i)), "dev", &there])?;
            ip(&["-n", &name, "link", "set", "lo", "up"])?;
            ip(&["-n", &name, "link", "set", &there, "up"])?;
            ip(&["-n", &name, "route", "add", "default", "via", &network.address()])?;
        }
        Ok(network)
    }

    fn namespace(&self, i: usize) -> String {
        format!("{}n{i}", self.bridge)
    }

    fn cable(&self, i: usize) -> String {
        format!("{}c{i}", self.bridge)
    }

    /// The address of this machine at the switch: broker and phones.
    pub fn address(&self) -> String {
        format!("{}.1", self.prefix)
    }

    /// The address of a speaker.
    pub fn address_of(&self, i: usize) -> String {
        format!("{}.{}", self.prefix, 10 + i)
    }

    /// A program at the end of a cable.
    pub fn command(&self, i: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(i), program]);
        command
    }

    /// Pulls the cable of a speaker out of the switch.
    pub fn unplug(&self, i: usize) {
        output(Command::new("ip").args(["link", "set", &self.cable(i), "nomaster"]));
    }

    /// Puts it in again.
    pub fn plug_in(&self, i: usize) {
        output(Command::new("ip").args(["link", "set", &self.cable(i), "master", &self.bridge]));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for i in 0..self.n_cables {
            // What was never made cannot be taken away.
            let _ = ip(&["netns", "del", &self.namespace(i)]);
            let _ = ip(&["link", "del", &self.cable(i)]);
        }
        let _ = ip(&["link", "del", &self.bridge]);
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let out = Command::new("ip").args(arguments).stdin(Stdio::null()).output().map_err(|err| format!("ip: {err}"))?;
    if out.status.success() {
        return Ok(());
    }
    Err(format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&out.stderr).trim()))
}
