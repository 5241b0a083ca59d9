//! The line under test: driven as the app drives it, with a tone generator and a tone meter in place of the engine.

use std::f32::consts::TAU;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use control::action::LineAction;
use control::call::{CallId, EndReason, How};
use control::dialplan::Uri;
use control::input::LineEvent;
use hark::config::{SipSettings, Srtp};
use hark::lines::FromLine;
use hark::lines::sip::SipLine;
use media::codec::{Decoder, Encoder, LONGEST, PACKET, clock_hz};
use media::party::{CodecKind, Packet, Party};
use tokio::sync::mpsc;

use crate::children::{eventually, free_range};

/// What a test hears from the line.
enum Seen {
    Event(LineEvent),
    Media(CallId, CodecKind),
    Invited(Instant),
}

/// A line with somebody humming into it.
pub struct Speaker {
    runtime: Option<tokio::runtime::Runtime>,
    actions: Option<mpsc::Sender<LineAction>>,
    seen: Receiver<(Instant, Seen)>,
    heard: Arc<Mutex<Vec<f32>>>,
    last_out: u32,
    pub port: u16,
}

/// Settings for loopback.
pub fn settings() -> SipSettings {
    let first = free_range(40);
    SipSettings {
        listen: Some("127.0.0.1:0".parse().expect("address")),
        public_address: None,
        accounts: vec![],
        accept_direct: true,
        codecs: ["opus", "pcma", "pcmu"].map(str::to_owned).to_vec(),
        rtp_ports: (first, first + 39),
        direct_srtp: Srtp::Accept,
    }
}

impl Speaker {
    /// Starts a line; whoever is at the speaker hums at `hum_hz`.
    pub fn start(settings: SipSettings, hum_hz: f32) -> Speaker {
        let runtime = tokio::runtime::Runtime::new().expect("runtime");
        let (actions, inbox) = mpsc::channel(16);
        let (events, mut from_line) = mpsc::channel(16);
        let (to_test, seen) = channel();
        let line = SipLine::new(settings, inbox, events).expect("line");
        let port = line.local_addr().expect("address").port();
        runtime.spawn(line.run());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = heard.clone();
        runtime.spawn(async move {
            while let Some(it) = from_line.recv().await {
                let seen = match it {
                    FromLine::Event(event) => Seen::Event(event),
                    FromLine::Invited(_, at) => Seen::Invited(at),
                    FromLine::Media(call, party) => {
                        let (kind, ears) = (party.codec, ears.clone());
                        std::thread::spawn(move || hum(party, hum_hz, &ears));
                        Seen::Media(call, kind)
                    }
                };
                if to_test.send((Instant::now(), seen)).is_err() {
                    break;
                }
            }
        });
        let speaker = Speaker { runtime: Some(runtime), actions: Some(actions), seen, heard, last_out: 0, port };
        speaker.until("direct to be up", |it| matches!(it, LineEvent::Up(line) if line == "direct"));
        speaker
    }

    pub fn uri(&self) -> String {
        format!("sip:kitchen@127.0.0.1:{}", self.port)
    }

    pub fn act(&self, action: LineAction) {
        self.actions.as_ref().expect("line").blocking_send(action).expect("line");
    }

    pub fn dial(&mut self, to: &str) -> CallId {
        self.dial_on("direct", to)
    }

    pub fn dial_on(&mut self, line: &str, to: &str) -> CallId {
        self.last_out += 1;
        let call = CallId::Out(self.last_out);
        self.act(LineAction::Dial { call, line: line.into(), to: Uri::parse(to).expect("address"), how: How::Ring });
        call
    }

    /// The next thing within a time.
    fn next(&self, what: &str, within: Duration) -> (Instant, Seen) {
        self.seen.recv_timeout(within).unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }

    /// The next event that fits; others are passed over.
    #[track_caller]
    pub fn until(&self, what: &str, fits: impl Fn(&LineEvent) -> bool) -> (Instant, LineEvent) {
        let start = Instant::now();
        loop {
            let left = Duration::from_secs(15).saturating_sub(start.elapsed());
            if let (at, Seen::Event(event)) = self.next(what, left)
                && fits(&event)
            {
                return (at, event);
            }
        }
    }

    /// When the INVITE went out.
    #[track_caller]
    pub fn invited(&self) -> Instant {
        match self.next("the INVITE", Duration::from_secs(5)) {
            (_, Seen::Invited(at)) => at,
            (_, Seen::Event(event)) => panic!("{event:?} before the INVITE"),
            (_, Seen::Media(..)) => panic!("media before the INVITE"),
        }
    }

    #[track_caller]
    pub fn alerting(&self, call: CallId) {
        self.until("ringing", |it| *it == LineEvent::Alerting(call));
    }

    /// Waits for the answer; media must have come before it. Gives the codec.
    #[track_caller]
    pub fn answered(&self, call: CallId) -> CodecKind {
        let mut codec = None;
        loop {
            match self.next("the answer", Duration::from_secs(15)).1 {
                Seen::Media(of, kind) if of == call => codec = Some(kind),
                Seen::Event(LineEvent::Answered(of)) if of == call => return codec.expect("media before the answer"),
                Seen::Event(LineEvent::Ended(_, reason)) => panic!("ended: {reason:?}"),
                _ => (),
            }
        }
    }

    /// Waits for a call and says that it rings here.
    #[track_caller]
    pub fn rung(&self) -> (CallId, Uri, String) {
        let (_, event) = self.until("a call", |it| matches!(it, LineEvent::Incoming { .. }));
        let LineEvent::Incoming { call, from, display, .. } = event else { unreachable!() };
        self.act(LineAction::Alert(call));
        (call, from, display)
    }

    /// Waits for the end and gives its reason.
    #[track_caller]
    pub fn ended(&self, call: CallId) -> EndReason {
        let (_, event) = self.until("the end", |it| matches!(it, LineEvent::Ended(of, _) if *of == call));
        let LineEvent::Ended(_, reason) = event else { unreachable!() };
        reason
    }

    /// Listens until so many samples have come, and gives them.
    #[track_caller]
    pub fn hear(&self, n_samples: usize, within: Duration) -> Vec<f32> {
        self.heard.lock().expect("ears").clear();
        eventually("sound from the other end", within, || {
            let heard = self.heard.lock().expect("ears");
            (heard.len() >= n_samples).then(|| heard.clone())
        })
    }

    /// Listens for a while and gives what came.
    pub fn listen(&self, time: Duration) -> Vec<f32> {
        self.heard.lock().expect("ears").clear();
        std::thread::sleep(time);
        self.heard.lock().expect("ears").clone()
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.actions = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

/// Stands in for the engine: 20 ms packets of a tone up, everything decoded down.
fn hum(mut party: Party, hz: f32, ears: &Mutex<Vec<f32>>) {
    let mut encoder = Encoder::new(party.codec).expect("encoder");
    let mut decoder = Decoder::new(party.codec).expect("decoder");
    let step = clock_hz(party.codec) / 50;
    let start = Instant::now();
    for n in 0u32.. {
        if party.uplink.is_abandoned() {
            return;
        }
        let samples: [f32; PACKET] =
            std::array::from_fn(|i| 0.4 * (TAU * hz * (n as usize * PACKET + i) as f32 / 48_000.0).sin());
        let mut packet =
            Packet { sequence: n as u16, timestamp: n.wrapping_mul(step), marker: n == 0, len: 0, data: [0; Packet::MAX] };
        packet.len = encoder.encode(&samples, &mut packet.data) as u16;
        if party.uplink.push(packet).is_ok() {
            party.wake.ring();
        }
        while let Ok(packet) = party.downlink.pop() {
            let mut out = [0.0; LONGEST];
            let n = decoder.decode(packet.payload(), &mut out);
            ears.lock().expect("ears").extend(&out[..n]);
        }
        std::thread::sleep((start + Duration::from_millis(20) * (n + 1)).saturating_duration_since(Instant::now()));
    }
}

/// How much of the sound is a tone, 0 to 1.
pub fn tone_share(samples: &[f32], hz: f32) -> f32 {
    let power: f32 = samples.iter().map(|it| it * it).sum();
    let (mut cos, mut sin) = (0.0f64, 0.0f64);
    let mut share = 0.0;
    // In pieces of 100 ms: a lost packet moves the phase.
    for piece in samples.chunks_exact(4_800) {
        for (i, it) in piece.iter().enumerate() {
            let angle = f64::from(TAU * hz / 48_000.0) * i as f64;
            cos += f64::from(*it) * angle.cos();
            sin += f64::from(*it) * angle.sin();
        }
        share += (cos * cos + sin * sin) * 2.0 / piece.len() as f64;
        (cos, sin) = (0.0, 0.0);
    }
    if power > 1e-3 { share as f32 / power } else { 0.0 }
}
