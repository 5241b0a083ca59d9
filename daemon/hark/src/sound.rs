//! Hands the sound actions to the engine and brings its notices back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use control::action::{Earcon, SoundAction, Tone};
use control::call::CallId;
use control::input::{Bus, PromptId, SoundNotice};
use media::clip::{Clip, Sound as Source};
use media::engine::Engine;
use media::order::{self, Command, Notice, SoundId};
use media::party::{Party, PartyId};
use media::stats::Stats;
use media::tone::{self, Region};
use tracing::warn;

use crate::mqtt::Metrics;
use crate::status;
use crate::voice::Speech;

/// How much softer a ducked bus is: -14 dB, speech stays intelligible over it.
const DUCKED: f32 = 0.2;

/// Sounds of the desk have names from here on, ours have those below.
pub const OF_DESK: u32 = 1 << 31;

/// The engine as the app sees it.
pub struct Sound {
    engine: Engine,
    voice: Speech<PromptId>,
    next: u32,
    tone: Option<SoundId>,
    parties: BTreeMap<CallId, PartyId>,
    gates: BTreeMap<CallId, Gates>,
    /// Sentences that wait for their turn, with their samples once these are there.
    queue: VecDeque<(PromptId, Option<Clip>)>,
    speaking: Option<(PromptId, SoundId)>,
    notices: VecDeque<SoundNotice>,
    /// What the desk plays.
    of_desk: BTreeSet<SoundId>,
    /// Of that, what is over.
    over: VecDeque<SoundId>,
}

/// Who hears a call's party, and whom it hears; for when its media is agreed late, or anew.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Gates {
    microphone: bool,
    silenced: bool,
    bridged: bool,
}

impl Sound {
    /// Takes the engine; sentences are asked from `voice` and come back through [`Sound::spoken`].
    pub fn new(engine: Engine, voice: Speech<PromptId>) -> Sound {
        Sound {
            engine,
            voice,
            next: 0,
            tone: None,
            parties: BTreeMap::new(),
            gates: BTreeMap::new(),
            queue: VecDeque::new(),
            speaking: None,
            notices: VecDeque::new(),
            of_desk: BTreeSet::new(),
            over: VecDeque::new(),
        }
    }

    /// The engine's figures.
    pub fn stats(&self) -> Arc<Stats> {
        self.engine.stats()
    }

    /// Frames of sound so far; stand still when the engine hangs.
    pub fn frames(&self) -> u64 {
        self.engine.stats().frames.load(Relaxed)
    }

    /// The part of the status that the engine knows.
    pub fn audio(&self, card: String) -> status::Audio {
        let stats = self.engine.stats();
        status::Audio {
            card,
            xruns: stats.xruns.load(Relaxed).into(),
            microphone_dbfs: stats.capture_level.get(),
            loudspeaker_dbfs: stats.render_level.get(),
            erle_db: stats.erle_db.get(),
            capture_to_packet_ms: stats.uplink_delay_mean_ms.get(),
            packet_to_render_ms: stats.downlink_delay_mean_ms.get(),
        }
    }

    /// The part of the metrics that the engine knows; what only a call has is left out without one.
    pub fn metrics(&self) -> Metrics {
        let stats = self.engine.stats();
        let in_call = !self.parties.is_empty();
        let (received, lost) = (stats.packets_received.load(Relaxed), stats.packets_lost.load(Relaxed));
        let loss = 100.0 * lost as f32 / (received + lost).max(1) as f32;
        Metrics {
            capture_dbfs: Some(stats.capture_level.get()),
            render_dbfs: Some(stats.render_level.get()),
            erle_db: in_call.then(|| stats.erle_db.get()),
            stream_delay_ms: in_call.then(|| stats.stream_delay_ms.get()),
            jitter_ms: in_call.then(|| stats.jitter_delay_ms.get()),
            loss_percent: in_call.then_some(loss),
            xruns: stats.xruns.load(Relaxed).into(),
            ..Metrics::default()
        }
    }

    /// Whether something is under way of which the end must be noticed.
    pub fn is_busy(&self) -> bool {
        self.speaking.is_some() || !self.notices.is_empty() || !self.of_desk.is_empty()
    }

    /// Does it.
    pub fn act(&mut self, action: SoundAction) {
        match action {
            SoundAction::Tone(tone) => {
                self.stop_tone();
                self.tone = Some(self.play(order::Bus::Ring, endless(tone)));
            }
            SoundAction::StopTone => self.stop_tone(),
            SoundAction::Earcon(sign) => {
                self.play(order::Bus::Announce, short(sign));
            }
            SoundAction::Say { prompt, text, language } => {
                self.queue.push_back((prompt, None));
                if let Err(prompt) = self.voice.ask(prompt, text, language) {
                    self.drop_prompt(prompt);
                }
            }
            SoundAction::StopSaying => {
                if let Some((prompt, sound)) = self.speaking.take() {
                    self.send(Command::Stop(sound));
                    self.notices.push_back(SoundNotice::Said(prompt));
                }
                let forgotten = std::mem::take(&mut self.queue);
                self.notices.extend(forgotten.into_iter().map(|(prompt, _)| SoundNotice::Said(prompt)));
            }
            SoundAction::OpenMic(call) => self.gate(call, Command::OpenMic, |it| it.microphone = true),
            SoundAction::CloseMic(call) => self.gate(call, Command::CloseMic, |it| it.microphone = false),
            SoundAction::Unsilence(call) => self.gate(call, Command::Unsilence, |it| it.silenced = false),
            SoundAction::Silence(call) => self.gate(call, Command::Silence, |it| it.silenced = true),
            SoundAction::Bridge(call) => self.gate(call, Command::Bridge, |it| it.bridged = true),
            SoundAction::Unbridge(call) => self.gate(call, Command::Unbridge, |it| it.bridged = false),
            SoundAction::Duck(bus) => self.send(Command::Duck(engine_bus(bus), DUCKED)),
            SoundAction::Unduck(bus) => self.send(Command::Unduck(engine_bus(bus))),
            SoundAction::Volume(bus, percent) => self.send(Command::Gain(engine_bus(bus), gain(percent))),
        }
    }

    /// A call's media is agreed, or agreed anew. Returns the party's name in the engine.
    pub fn join(&mut self, call: CallId, party: Party) -> PartyId {
        let id = party.id;
        if let Some(before) = self.parties.insert(call, id) {
            self.send(Command::Leave(before));
        }
        self.send(Command::Join(party));
        let Gates { microphone, silenced, bridged } = self.gates.get(&call).copied().unwrap_or_default();
        if microphone {
            self.send(Command::OpenMic(id));
        }
        if silenced {
            self.send(Command::Silence(id));
        }
        if bridged {
            self.send(Command::Bridge(id));
        }
        id
    }

    /// A call is over.
    pub fn leave(&mut self, call: CallId) {
        self.gates.remove(&call);
        if let Some(party) = self.parties.remove(&call) {
            self.send(Command::Leave(party));
        }
    }

    /// The samples of a sentence are there, or cannot be had.
    pub fn spoken(&mut self, prompt: PromptId, clip: Option<Clip>) {
        let Some(waiting) = self.queue.iter_mut().find(|(id, _)| *id == prompt) else { return };
        match clip {
            Some(clip) => waiting.1 = Some(clip),
            None => self.drop_prompt(prompt),
        }
        self.speak_next();
    }

    /// What the engine has to tell, if anything.
    pub fn poll(&mut self) -> Option<SoundNotice> {
        while let Some(notice) = self.engine.poll() {
            let (Notice::Finished(sound) | Notice::Refused(sound)) = notice else { continue };
            if self.of_desk.remove(&sound) {
                self.over.push_back(sound);
            }
            if let Some((prompt, _)) = self.speaking.take_if(|(_, speaking)| *speaking == sound) {
                self.notices.push_back(SoundNotice::Said(prompt));
                self.speak_next();
            }
        }
        self.notices.pop_front()
    }

    /// A sound of the desk that is over, if there is one; [`Sound::poll`] comes first.
    pub fn poll_desk(&mut self) -> Option<SoundId> {
        self.over.pop_front()
    }

    /// Asks the engine itself for something.
    pub fn send(&mut self, command: Command) {
        let of_desk = match &command {
            Command::Play { id, .. } | Command::PlayAt { id, .. } if id.0 >= OF_DESK => Some(*id),
            _ => None,
        };
        if self.engine.send(command).is_ok() {
            self.of_desk.extend(of_desk);
        } else {
            warn!("the sound engine takes no commands: it stalls");
            self.over.extend(of_desk);
        }
    }

    fn speak_next(&mut self) {
        if self.speaking.is_some() || !matches!(self.queue.front(), Some((_, Some(_)))) {
            return;
        }
        let Some((prompt, Some(clip))) = self.queue.pop_front() else { return };
        let sound = self.play(order::Bus::Announce, clip.sound());
        self.speaking = Some((prompt, sound));
    }

    fn drop_prompt(&mut self, prompt: PromptId) {
        self.queue.retain(|(id, _)| *id != prompt);
        self.notices.push_back(SoundNotice::Said(prompt));
    }

    fn stop_tone(&mut self) {
        if let Some(tone) = self.tone.take() {
            self.send(Command::Stop(tone));
        }
    }

    fn play(&mut self, bus: order::Bus, source: Source) -> SoundId {
        let id = SoundId(self.next);
        self.next = self.next.wrapping_add(1) % OF_DESK;
        self.send(Command::Play { id, bus, source });
        id
    }

    fn gate(&mut self, call: CallId, command: fn(PartyId) -> Command, note: fn(&mut Gates)) {
        let mut gates = self.gates.remove(&call).unwrap_or_default();
        note(&mut gates);
        if gates != Gates::default() {
            self.gates.insert(call, gates);
        }
        if let Some(party) = self.parties.get(&call) {
            let party = *party;
            self.send(command(party));
        }
    }
}

fn engine_bus(bus: Bus) -> order::Bus {
    match bus {
        Bus::Call => order::Bus::Call,
        Bus::Ring => order::Bus::Ring,
        Bus::Announce => order::Bus::Announce,
    }
}

/// Loudness follows the square of the knob: 50 is about half as loud as 100, 0 is silent.
fn gain(percent: u8) -> f32 {
    let knob = f32::from(percent.min(100)) / 100.0;
    knob * knob
}

fn endless(tone: Tone) -> Source {
    match tone {
        Tone::Ring => tone::ring(),
        Tone::Ringback => tone::ringback(Region::default()),
        Tone::Busy => tone::busy(Region::default()),
        Tone::CallWaiting => tone::call_waiting(Region::default()),
    }
}

fn short(sign: Earcon) -> Source {
    match sign {
        Earcon::Awake | Earcon::Recording => tone::earcon_wake(),
        Earcon::Understood => tone::earcon_done(),
        Earcon::Rejected => tone::earcon_sorry(),
        Earcon::Connected => tone::earcon_connected(),
        Earcon::Ended => tone::earcon_ended(),
        Earcon::DropIn => tone::earcon_drop_in(),
        Earcon::Joined => tone::earcon_joined(),
        Earcon::Left => tone::earcon_left(),
    }
}
