//! A private PulseAudio with null sinks for cards: one is the loudspeaker, the other one's monitor is the microphone. For several rooms
//! both have a channel for each room, so that what happens in several rooms at once can be played and recorded to the sample.

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
    /// The modules that make the cards, and the last microphone that they make.
    cards: (String, String),
    server: Option<Running>,
}

/// Of all rooms together: what their microphones hear, what their loudspeakers play.
pub const AIR: &str = "air";
pub const LOUDSPEAKERS: &str = "loudspeakers";

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
        let mut cards = String::new();
        for sink in ["spk", "micsink"] {
            let _ = writeln!(cards, "load-module module-null-sink sink_name={sink} norewinds=1 rate=48000 channels=1");
        }
        cards += "load-module module-remap-source master=micsink.monitor source_name=mic\nset-default-sink spk\nset-default-source mic\n";
        Self::with(folder, cards, "mic")
    }

    /// Starts a server in `folder` with a card for each room: `kitchen_spk`, `kitchen_mic` and so on.
    pub fn start_for_rooms(folder: &Path, rooms: &[String]) -> Self {
        let (n, map) = (rooms.len(), channel_map(rooms.len()));
        let mut cards = String::new();
        for sink in [AIR, LOUDSPEAKERS] {
            let _ = writeln!(
                cards,
                "load-module module-null-sink sink_name={sink} norewinds=1 rate=48000 channels={n} channel_map={map}"
            );
        }
        for (i, room) in rooms.iter().enumerate() {
            let channel = format!("channels=1 master_channel_map=aux{i} channel_map=mono remix=no");
            let sink = |name: String, master: &str| {
                format!(
                    "load-module module-remap-sink master={master} sink_name={name} sink_properties=device.description={name} {channel}\n"
                )
            };
            cards += &sink(format!("{room}_spk"), LOUDSPEAKERS);
            cards += &sink(format!("{room}_micsink"), AIR);
            let name = format!("{room}_mic");
            let _ = writeln!(
                cards,
                "load-module module-remap-source master={AIR}.monitor source_name={name} source_properties=device.description={name} {channel}"
            );
        }
        Self::with(folder, cards, &format!("{}_mic", rooms.last().expect("a room")))
    }

    fn with(folder: &Path, cards: String, microphone: &str) -> Self {
        let mut pulse = Self { folder: folder.to_owned(), cards: (cards, microphone.to_owned()), server: None };
        pulse.bring_back();
        pulse
    }

    /// Starts the server, again if it was taken away.
    pub fn bring_back(&mut self) {
        let script = self.folder.join("pulse.pa");
        let socket = self.socket();
        let mut lines = String::new();
        let _ = writeln!(lines, "load-module module-native-protocol-unix auth-anonymous=1 socket={}", socket.display());
        lines += &self.cards.0;
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
            String::from_utf8_lossy(&sources.stdout).contains(&format!("\t{}\t", self.cards.1)).then_some(())
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
        self.connect("spk", "micsink", gain);
    }

    /// The same in one of several rooms.
    pub fn add_echo_in(&self, room: &str, gain: f32) {
        self.connect(&format!("{room}_spk"), &format!("{room}_micsink"), gain);
    }

    fn connect(&self, source: &str, sink: &str, gain: f32) {
        let (source, sink) = (format!("source={source}.monitor"), format!("sink={sink}"));
        output(
            Command::new("pactl").args(["load-module", "module-loopback", &source, &sink, "latency_msec=40"]).envs(self.env()),
        );
        let inputs = output(Command::new("pactl").args(["list", "short", "sink-inputs"]).envs(self.env()));
        let line = inputs.lines().rfind(|line| line.contains("module-loopback")).expect("the loopback");
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
        let file = self.next_file("wav");
        clip.write(&file);
        spawn(Command::new("paplay").arg(format!("--device={sink}")).arg("--latency-msec=20").arg(file).envs(self.env()))
    }

    /// Lets each room's microphone hear its own clip, all at the same moment; returns at once.
    pub fn start_saying_in_rooms(&self, clips: &[Clip]) -> Child {
        let n_samples = clips.iter().map(|clip| clip.samples.len()).max().unwrap_or(0);
        let sample = |clip: &Clip, i: usize| (clip.samples.get(i).unwrap_or(&0.0) * 32767.0).clamp(-32768.0, 32767.0) as i16;
        let bytes: Vec<u8> =
            (0..n_samples).flat_map(|i| clips.iter().map(move |clip| sample(clip, i))).flat_map(i16::to_le_bytes).collect();
        let file = self.next_file("raw");
        std::fs::write(&file, bytes).expect("clips");
        let form = raw_form(clips.len());
        spawn(
            Command::new("paplay").args(form).arg(format!("--device={AIR}")).arg("--latency-msec=20").arg(file).envs(self.env()),
        )
    }

    fn next_file(&self, ending: &str) -> PathBuf {
        use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        self.folder.join(format!("played-{}.{ending}", COUNT.fetch_add(1, Relaxed)))
    }

    /// Begins to record.
    pub fn record(&self, place: Place) -> Recording {
        match place {
            Place::Loudspeaker => Recording::start("spk.monitor", 1, self.env()),
            Place::Microphone => Recording::start("micsink.monitor", 1, self.env()),
        }
    }

    /// Begins to record all rooms at once: [`AIR`] or [`LOUDSPEAKERS`].
    pub fn record_rooms(&self, sink: &str, n_rooms: usize) -> Recording {
        Recording::start(&format!("{sink}.monitor"), n_rooms, self.env())
    }
}

/// The channels of what all rooms have together.
fn channel_map(n_channels: usize) -> String {
    (0..n_channels).map(|i| format!("aux{i}")).collect::<Vec<_>>().join(",")
}

/// Raw sound with so many channels, for paplay and parec.
fn raw_form(n_channels: usize) -> [String; 5] {
    let map = if n_channels == 1 { "mono".to_owned() } else { channel_map(n_channels) };
    [
        "--raw".to_owned(),
        "--rate=48000".to_owned(),
        "--format=s16le".to_owned(),
        format!("--channels={n_channels}"),
        format!("--channel-map={map}"),
    ]
}

#[derive(Default)]
struct Tape {
    /// One after the other of each channel.
    samples: Vec<f32>,
    /// How many samples of each channel were there when.
    marks: Vec<(usize, Instant)>,
}

/// A recording under way.
pub struct Recording {
    child: Child,
    n_channels: usize,
    tape: Arc<Mutex<Tape>>,
}

impl Recording {
    fn start(device: &str, n_channels: usize, env: Vec<(&'static str, PathBuf)>) -> Self {
        let mut command = Command::new("parec");
        command.args(raw_form(n_channels)).args(["--latency-msec=10", "-d", device]).envs(env);
        let mut child = spawn(command.stdout(Stdio::piped()));
        let mut from = child.stdout.take().expect("piped");
        let tape = Arc::new(Mutex::new(Tape::default()));
        let to = tape.clone();
        std::thread::spawn(move || {
            let frame = 2 * n_channels;
            let mut bytes = vec![0; 480 * frame];
            let mut held = 0;
            while let Ok(n @ 1..) = from.read(&mut bytes[held..]) {
                let whole = (held + n) / frame * frame;
                let mut tape = to.lock().expect("tape");
                tape.samples
                    .extend(bytes[..whole].chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32768.0));
                let n_samples = tape.samples.len() / n_channels;
                tape.marks.push((n_samples, Instant::now()));
                drop(tape);
                bytes.copy_within(whole..held + n, 0);
                held = held + n - whole;
            }
        });
        let recording = Self { child, n_channels, tape };
        eventually("the first sound of a recording", Duration::from_secs(5), || {
            (recording.length() > Duration::ZERO).then_some(())
        });
        recording
    }

    /// How much there is of it.
    pub fn length(&self) -> Duration {
        let n_samples = self.tape.lock().expect("tape").samples.len() / self.n_channels;
        Duration::from_secs_f64(n_samples as f64 / f64::from(RATE_HZ))
    }

    /// What was recorded so far.
    pub fn so_far(&self) -> Clip {
        self.since(Duration::ZERO)
    }

    /// What was recorded after this moment of it.
    pub fn since(&self, from: Duration) -> Clip {
        self.of(0, from)
    }

    /// The same of one channel of several.
    pub fn of(&self, channel: usize, from: Duration) -> Clip {
        let tape = self.tape.lock().expect("tape");
        let first = (from.as_secs_f64() * f64::from(RATE_HZ)) as usize;
        Clip { samples: tape.samples.iter().skip(channel + first * self.n_channels).step_by(self.n_channels).copied().collect() }
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
