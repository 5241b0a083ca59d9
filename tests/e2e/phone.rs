//! A person's phone: baresip, played like a person would handle it.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::children::{Running, eventually, free_port, free_range};
use crate::sound::Clip;

const CONFIG: &str = include_str!("../peers/baresip/config");
const ACCOUNTS: &str = include_str!("../peers/baresip/accounts");
const TURN_AWAY: &str = include_str!("../peers/sipp/turn_away.xml");

/// A phone that is on.
pub struct Phone {
    pub user: String,
    pub sip_port: u16,
    folder: PathBuf,
    control: Mutex<TcpStream>,
    heard: Arc<Mutex<Vec<(Instant, Value)>>>,
    baresip: Running,
}

/// What a phone can be told before it is switched on.
pub struct PhoneSettings<'a> {
    pub user: &'a str,
    /// What its owner says in every call, from its first second on.
    pub voice: Clip,
    /// baresip's names, in order of preference.
    pub codecs: &'a str,
    /// More parameters of the account, each beginning with `;`.
    pub more: &'a str,
}

impl Default for PhoneSettings<'_> {
    fn default() -> Self {
        Self {
            user: "mom",
            voice: Clip::silence(Duration::from_secs(1)),
            codecs: "opus/48000/2,pcma/8000/1,pcmu/8000/1",
            more: "",
        }
    }
}

impl Phone {
    /// Switches a phone on.
    pub fn start(parent: &Path, settings: PhoneSettings) -> Self {
        let folder = parent.join(settings.user);
        let recordings = folder.join("recordings");
        std::fs::create_dir_all(&recordings).expect("folder for recordings");
        let (sip_port, control, rtp) = (free_port(), free_port(), free_range(20));
        let fill = |text: &str| {
            text.replace("{sip}", &sip_port.to_string())
                .replace("{control}", &control.to_string())
                .replace("{rtp_first}", &rtp.to_string())
                .replace("{rtp_last}", &(rtp + 19).to_string())
                .replace("{voice}", &folder.join("voice.wav").display().to_string())
                .replace("{recordings}", &recordings.display().to_string())
                .replace("{modules}", modules())
                .replace("{user}", settings.user)
                .replace("{codecs}", settings.codecs)
                .replace("{more}", settings.more)
        };
        std::fs::write(folder.join("config"), fill(CONFIG)).expect("config");
        std::fs::write(folder.join("accounts"), fill(ACCOUNTS)).expect("accounts");
        std::fs::write(folder.join("contacts"), "").expect("contacts");
        voice_for_a_call(&settings.voice).write(&folder.join("voice.wav"));
        let mut baresip = Running::start(settings.user, parent, Command::new("baresip").args(["-4", "-v", "-f"]).arg(&folder));
        baresip.wait_for("baresip is ready", Duration::from_secs(10));
        let control = TcpStream::connect(("127.0.0.1", control)).expect("baresip's control port");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (mut from, to) = (control.try_clone().expect("socket"), heard.clone());
        std::thread::spawn(move || {
            while let Some(message) = read_netstring(&mut from) {
                to.lock().expect("events").push((Instant::now(), message));
            }
        });
        Self { user: settings.user.to_owned(), sip_port, folder, control: Mutex::new(control), heard, baresip }
    }

    /// Her address.
    pub fn uri(&self) -> String {
        format!("sip:{}@127.0.0.1:{}", self.user, self.sip_port)
    }

    /// What she says in calls that begin from now on.
    pub fn set_voice(&self, voice: &Clip) {
        voice_for_a_call(voice).write(&self.folder.join("voice.wav"));
    }

    fn command(&self, command: &str, params: &str) {
        let text = json!({"command": command, "params": params, "token": "1"}).to_string();
        let mut control = self.control.lock().expect("control");
        write!(control, "{}:{text},", text.len()).expect("baresip's control port");
    }

    /// Takes the call that rings.
    pub fn answer(&self) {
        self.command("accept", "");
    }

    /// Ends the call, or turns the one that rings away as busy.
    pub fn hang_up(&self) {
        self.command("hangup", "");
    }

    /// Calls somebody.
    pub fn dial(&self, uri: &str) {
        self.command("dial", uri);
    }

    /// Puts the other end on hold.
    pub fn hold(&self) {
        self.command("hold", "");
    }

    /// Takes the other end back.
    pub fn resume(&self) {
        self.command("resume", "");
    }

    /// Presses a key in the call.
    pub fn press(&self, key: char) {
        self.command("sndcode", &key.to_string());
    }

    /// How many events there are, to look only at later ones.
    pub fn mark(&self) -> usize {
        self.heard.lock().expect("events").len()
    }

    /// The events from `mark` on.
    pub fn events(&self, mark: usize) -> Vec<String> {
        let heard = self.heard.lock().expect("events");
        heard.iter().skip(mark).filter_map(|(_, it)| it["type"].as_str().map(str::to_owned)).collect()
    }

    /// Waits for an event, such as CALL_INCOMING, CALL_RINGING, CALL_ESTABLISHED, CALL_CLOSED, and gives when it came and its detail.
    #[track_caller]
    pub fn wait(&self, mark: usize, event: &str, within: Duration) -> (Instant, String) {
        eventually(&format!("{} to see {event}", self.user), within, || {
            let heard = self.heard.lock().expect("events");
            let found = heard.iter().skip(mark).find(|(_, it)| it["type"] == event)?;
            Some((found.0, found.1["param"].as_str().unwrap_or_default().to_owned()))
        })
    }

    /// Waits until it rings.
    #[track_caller]
    pub fn rings(&self, mark: usize, within: Duration) -> Instant {
        self.wait(mark, "CALL_INCOMING", within).0
    }

    /// Whether it begins to ring in this time.
    pub fn rings_within(&self, mark: usize, within: Duration) -> bool {
        let until = Instant::now() + within;
        while Instant::now() < until {
            if self.events(mark).iter().any(|it| it == "CALL_INCOMING") {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// What she heard in her last call.
    pub fn heard(&self) -> Clip {
        self.recording("-dec.wav")
    }

    /// What she said in her last call.
    pub fn said(&self) -> Clip {
        self.recording("-enc.wav")
    }

    fn recording(&self, ending: &str) -> Clip {
        let files =
            std::fs::read_dir(self.folder.join("recordings")).expect("recordings").map(|it| it.expect("recordings").path());
        let last = files.filter(|it| it.to_string_lossy().ends_with(ending)).max();
        last.map_or_else(Clip::default, |file| Clip::read(&file))
    }

    /// The phone's process, for measuring.
    pub fn pid(&self) -> u32 {
        self.baresip.pid()
    }
}

/// A phone that turns the next call away with this code, and its address; SIPp plays it.
pub fn turns_away(folder: &Path, code: &str, reason: &str) -> (Running, String) {
    let port = free_port();
    let file = folder.join(format!("turn_away_{code}.xml"));
    std::fs::write(&file, TURN_AWAY.replace("{code}", code).replace("{reason}", reason)).expect("scenario");
    let mut command = Command::new("sipp");
    command.args(["-i", "127.0.0.1", "-p", &port.to_string(), "-nostdin", "-m", "1", "-sf"]).arg(&file);
    let phone = Running::start(&format!("sipp-{code}"), folder, &mut command);
    eventually("SIPp to listen", Duration::from_secs(5), || UdpSocket::bind(("127.0.0.1", port)).is_err().then_some(()));
    (phone, format!("sip:someone@127.0.0.1:{port}"))
}

/// What somebody says who wants to be heard: several times over, with pauses.
pub fn again_and_again(words: &Clip, n_times: usize) -> Clip {
    let once = words.clone().then_silence(Duration::from_millis(400));
    (0..n_times).fold(Clip::silence(Duration::from_millis(700)), |all, _| all.then(&once))
}

/// baresip hangs up at the end of its file.
fn voice_for_a_call(voice: &Clip) -> Clip {
    voice.clone().then_silence(Duration::from_secs(90))
}

fn modules() -> &'static str {
    ["/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules", "/usr/lib/aarch64-linux-gnu/baresip/modules"]
        .into_iter()
        .find(|it| Path::new(it).is_dir())
        .expect("baresip's modules; `tools/deps.sh test` installs baresip-core")
}

/// One message of baresip's control port: `<length>:<json>,`.
fn read_netstring(from: &mut TcpStream) -> Option<Value> {
    let mut length = 0;
    let mut byte = [0];
    loop {
        from.read_exact(&mut byte).ok()?;
        match byte[0] {
            digit @ b'0'..=b'9' => length = length * 10 + usize::from(digit - b'0'),
            _ => break,
        }
    }
    let mut text = vec![0; length + 1];
    from.read_exact(&mut text).ok()?;
    Some(serde_json::from_slice(&text[..length]).unwrap_or_default())
}
