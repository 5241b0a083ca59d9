//! A private PulseAudio with two null sinks: one is the room's loudspeaker, the other one's monitor is its microphone.

use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::children::{Running, eventually, output, spawn};
use crate::sound::{Clip, RATE_HZ};

/// The server; its cards are gone when it is dropped.
pub struct Pulse {
    folder: PathBuf,
    server: Option<Running>,
}

/// Where something can be recorded.
#[derive(Clone, Copy)]
pub enum Place {
    /// What the loudspeaker plays.
    Loudspeaker,
    /// What the microphone hears.
    Microphone,
}

impl Pulse {
    /// Starts a server in `folder`, with the loudspeaker and the microphone as its only and default devices.
    pub fn start(folder: &Path) -> Self {
        let mut pulse = Self { folder: folder.to_owned(), server: None };
        pulse.bring_back();
        pulse
    }

    /// Starts the server, again if it was taken away.
    pub fn bring_back(&mut self) {
        let script = self.folder.join("pulse.pa");
        let socket = self.socket();
        let mut lines = String::new();
        let _ = writeln!(lines, "load-module module-native-protocol-unix auth-anonymous=1 socket={}", socket.display());
        for sink in ["spk", "micsink"] {
            let _ = writeln!(lines, "load-module module-null-sink sink_name={sink} norewinds=1 rate=48000 channels=1");
        }
        lines += "load-module module-remap-source master=micsink.monitor source_name=mic\nset-default-sink spk\nset-default-source mic\n";
        std::fs::write(&script, lines).expect("pulse.pa");
        let _ = std::fs::remove_file(&socket);
        let mut command = Command::new("pulseaudio");
        command
            .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--log-level=notice", "-F"])
            .arg(&script)
            .envs(self.env());
        self.server = Some(Running::start("pulseaudio", &self.folder, &mut command));
        eventually("PulseAudio's microphone", Duration::from_secs(10), || {
            let sources =
                Command::new("pactl").args(["list", "short", "sources"]).envs(self.env()).stderr(Stdio::null()).output().ok()?;
            String::from_utf8_lossy(&sources.stdout).contains("\tmic\t").then_some(())
        });
    }

    /// Takes the server with all its devices away, as if the card were pulled out.
    pub fn take_away(&mut self) {
        self.server = None;
    }

    /// What a program needs in its environment to use these cards and nothing else of this machine's user.
    pub fn env(&self) -> Vec<(&'static str, PathBuf)> {
        let mut server = std::ffi::OsString::from("unix:");
        server.push(self.socket());
        vec![("HOME", self.folder.clone()), ("XDG_RUNTIME_DIR", self.folder.clone()), ("PULSE_SERVER", server.into())]
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("pulse.sock")
    }

    /// Lets the microphone hear the loudspeaker, `gain` times as loud: the echo of the room.
    pub fn add_echo(&self, gain: f32) {
        output(
            Command::new("pactl")
                .args(["load-module", "module-loopback", "source=spk.monitor", "sink=micsink", "latency_msec=40"])
                .envs(self.env()),
        );
        let inputs = output(Command::new("pactl").args(["list", "short", "sink-inputs"]).envs(self.env()));
        let line = inputs.lines().find(|line| line.contains("module-loopback")).expect("the loopback");
        let index = line.split('\t').next().expect("index");
        let volume = ((f64::from(gain).cbrt() * 65536.0) as u32).to_string();
        output(Command::new("pactl").args(["set-sink-input-volume", index, &volume]).envs(self.env()));
    }

    /// Plays into the microphone, and returns when it was said.
    pub fn say(&self, clip: &Clip) {
        assert!(self.start_playing(clip, "micsink").wait().expect("paplay").success(), "paplay failed");
    }

    /// Plays on the loudspeaker, and returns when it was played.
    pub fn play(&self, clip: &Clip) {
        assert!(self.start_playing(clip, "spk").wait().expect("paplay").success(), "paplay failed");
    }

    /// Plays into the microphone, and returns at once.
    pub fn start_saying(&self, clip: &Clip) -> Child {
        self.start_playing(clip, "micsink")
    }

    fn start_playing(&self, clip: &Clip, sink: &str) -> Child {
        use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let file = self.folder.join(format!("played-{}.wav", COUNT.fetch_add(1, Relaxed)));
        clip.write(&file);
        spawn(Command::new("paplay").arg(format!("--device={sink}")).arg("--latency-msec=20").arg(file).envs(self.env()))
    }

    /// Begins to record.
    pub fn record(&self, place: Place) -> Recording {
        let device = match place {
            Place::Loudspeaker => "spk.monitor",
            Place::Microphone => "micsink.monitor",
        };
        let mut child = spawn(
            Command::new("parec")
                .args(["--raw", "--rate=48000", "--channels=1", "--format=s16le", "--latency-msec=10", "-d", device])
                .envs(self.env())
                .stdout(Stdio::piped()),
        );
        let tape = Arc::new(Mutex::new(Tape::default()));
        let mut from = child.stdout.take().expect("piped");
        let to = tape.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 960];
            let mut held = 0;
            while let Ok(n @ 1..) = from.read(&mut bytes[held..]) {
                let whole = (held + n) / 2 * 2;
                let mut tape = to.lock().expect("tape");
                tape.samples
                    .extend(bytes[..whole].chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32768.0));
                let n_samples = tape.samples.len();
                tape.marks.push((n_samples, Instant::now()));
                drop(tape);
                held = (held + n) % 2;
                bytes[0] = bytes[whole.min(bytes.len() - 1)];
            }
        });
        let recording = Recording { child, tape };
        eventually("the first sound of a recording", Duration::from_secs(5), || {
            (recording.length() > Duration::ZERO).then_some(())
        });
        recording
    }
}

#[derive(Default)]
struct Tape {
    samples: Vec<f32>,
    /// How many samples were there when.
    marks: Vec<(usize, Instant)>,
}

/// A recording under way.
pub struct Recording {
    child: Child,
    tape: Arc<Mutex<Tape>>,
}

impl Recording {
    /// How much there is of it.
    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(self.tape.lock().expect("tape").samples.len() as f64 / f64::from(RATE_HZ))
    }

    /// What was recorded so far.
    pub fn so_far(&self) -> Clip {
        Clip { samples: self.tape.lock().expect("tape").samples.clone() }
    }

    /// What was recorded after this moment of it.
    pub fn since(&self, from: Duration) -> Clip {
        let tape = self.tape.lock().expect("tape");
        let first = (from.as_secs_f64() * f64::from(RATE_HZ)) as usize;
        Clip { samples: tape.samples.get(first..).unwrap_or_default().to_vec() }
    }

    /// When the sound at this moment of the recording was there.
    pub fn when(&self, at: Duration) -> Instant {
        let tape = self.tape.lock().expect("tape");
        let sample = (at.as_secs_f64() * f64::from(RATE_HZ)) as usize;
        let mark = tape.marks.partition_point(|(n, _)| *n <= sample);
        let (n, instant) = tape.marks[mark.min(tape.marks.len() - 1)];
        // The earliest arrival around here tells best when the sound was there: later ones were only held up.
        let around = &tape.marks[mark.saturating_sub(50)..(mark + 50).min(tape.marks.len())];
        let ago = |n: usize, instant: Instant| instant - Duration::from_secs_f64(n as f64 / f64::from(RATE_HZ));
        let start = around.iter().map(|&(n, instant)| ago(n, instant)).min().unwrap_or_else(|| ago(n, instant));
        start + at
    }

    /// Ends it.
    pub fn stop(self) -> Clip {
        self.so_far()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
