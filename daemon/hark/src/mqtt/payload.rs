//! What we publish, as it goes over the wire (docs/mqtt.md). Converted by hand from what `control` reports.

use std::collections::BTreeMap;
use std::time::SystemTime;

use control::action::{self, CallReport, CallState, Event, Peer, SettingReport};
use control::call::{CallId, EndReason};
use control::house::Progress;
use control::input::Bus;
use serde::Serialize;

use crate::walltime::rfc3339;

/// The payload of `about`: what this speaker is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// The room's name as people say it.
    pub name: String,
    /// Our version.
    pub version: String,
    /// What it can do, such as `dial`, `dtmf`.
    pub capabilities: Vec<String>,
    /// Addresses at which media reaches us.
    pub media: Vec<String>,
    /// BCP 47 languages that it understands.
    pub languages: Vec<String>,
    /// The lines by name; filled in as they report.
    pub lines: BTreeMap<String, Line>,
    /// The fingerprint of our key, where there is a house.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Where other speakers reach us without a broker.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
}

/// How a line fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Whether calls can be placed and received on it.
    pub up: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The payload of `call`: the foremost call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Call {
    state: &'static str,
    id: Option<String>,
    direction: Option<&'static str>,
    peer: Option<Party>,
    since: Option<String>,
    parties: Vec<Party>,
    muted: bool,
}

impl Call {
    /// What is shown before the first report.
    pub fn idle() -> Call {
        Call { state: "idle", id: None, direction: None, peer: None, since: None, parties: Vec::new(), muted: false }
    }

    /// The call as reported; `since` when it is in its state.
    pub fn new(report: &CallReport, since: SystemTime) -> Call {
        let peer = report.peer.as_ref().map(Party::new);
        Call {
            state: state(report.state),
            id: report.call.map(|id| id.to_string()),
            direction: report.call.map(direction),
            parties: report.parties.iter().map(Party::new).collect(),
            peer,
            since: (report.state != CallState::Idle).then(|| rfc3339(since)),
            muted: report.muted,
        }
    }
}

/// Somebody in a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Party {
    name: String,
    address: String,
    /// `contact` or `stranger`.
    kind: &'static str,
}

impl Party {
    fn new(peer: &Peer) -> Party {
        let kind = if peer.known { "contact" } else { "stranger" };
        Party { name: peer.name.clone(), address: peer.address.as_str().to_owned(), kind }
    }
}

/// The payload of `settings`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SettingsNow {
    /// 0 to 100 each.
    pub volume: Volumes,
    /// Whether the user muted the microphone of calls.
    pub muted: bool,
    /// Whether callers are turned away.
    pub do_not_disturb: bool,
    /// Whether quiet hours are now.
    pub quiet: bool,
}

/// See [`SettingsNow`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Volumes {
    /// Of the other parties.
    pub call: u8,
    /// Of ringing.
    pub ring: u8,
    /// Of spoken prompts.
    pub announce: u8,
}

impl SettingsNow {
    /// Takes over one change.
    pub fn change(&mut self, report: SettingReport) {
        match report {
            SettingReport::Volume(Bus::Call, percent) => self.volume.call = percent,
            SettingReport::Volume(Bus::Ring, percent) => self.volume.ring = percent,
            SettingReport::Volume(Bus::Announce, percent) => self.volume.announce = percent,
            SettingReport::DoNotDisturb(on) => self.do_not_disturb = on,
            SettingReport::Muted(on) => self.muted = on,
            SettingReport::Quiet(on) => self.quiet = on,
        }
    }
}

/// The payload of `waiting`: what waits for whoever comes into the room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Whose calls were missed; the last one last.
    missed: Vec<Missed>,
    /// How many calls that makes.
    calls: u32,
    /// How many announcements wait for quiet hours to end.
    announcements: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Missed {
    #[serde(flatten)]
    who: Party,
    calls: u32,
}

impl Waiting {
    /// As reported.
    pub fn new(it: &action::Waiting) -> Waiting {
        let missed = it.missed.iter().map(|it| Missed { who: Party::new(&it.peer), calls: it.n }).collect();
        Waiting { missed, calls: it.missed.iter().map(|it| it.n).sum(), announcements: it.announcements }
    }
}

/// The payload of `metrics`; what is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Metrics {
    /// How long the process runs.
    pub uptime_s: u64,
    /// Of one core, since the last metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f32>,
    /// Resident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<f32>,
    /// Of the microphone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture_dbfs: Option<f32>,
    /// Of the loudspeaker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub render_dbfs: Option<f32>,
    /// Echo return loss enhancement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erle_db: Option<f32>,
    /// From loudspeaker to microphone, as the canceller finds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_delay_ms: Option<f32>,
    /// Buffered per call to even out the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<f32>,
    /// Packets that never came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_percent: Option<f32>,
    /// Gaps in the sound since start.
    pub xruns: u64,
    /// Wake phrases heard since start.
    pub wakes: u64,
    /// Messages given up because the broker was away for long; counted here by the MQTT client itself.
    pub mqtt_dropped: u64,
}

/// The payload of `event`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dated {
    #[serde(flatten)]
    happened: Happened,
    at: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Happened {
    Wake,
    Heard {
        intent: &'static str,
        contact: Option<String>,
        confidence: f32,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    Rejected,
    Ringing(Concerning),
    Answered(Concerning),
    Missed(Concerning),
    Ended {
        #[serde(flatten)]
        of: Concerning,
        reason: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        sip_code: Option<u16>,
        talked_ms: u64,
    },
    Dtmf {
        id: String,
        digit: char,
    },
    DropIn {
        #[serde(flatten)]
        of: Concerning,
        /// Whether the other room only listens.
        listens: bool,
    },
    Handover {
        #[serde(flatten)]
        of: Concerning,
        /// The room that has the call now.
        to: String,
    },
    Denied {
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    Announcement {
        id: String,
        from: String,
        state: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        rooms: Option<Vec<String>>,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Concerning {
    id: String,
    direction: &'static str,
    peer: Party,
}

impl Concerning {
    fn new(call: CallId, peer: &Peer) -> Concerning {
        Concerning { id: call.to_string(), direction: direction(call), peer: Party::new(peer) }
    }
}

impl Dated {
    /// The names that `event` takes; Home Assistant wants them all in advance.
    pub const EVENTS: [&'static str; 12] = [
        "wake",
        "heard",
        "rejected",
        "ringing",
        "answered",
        "missed",
        "ended",
        "dtmf",
        "dropin",
        "handover",
        "denied",
        "announcement",
    ];

    /// What happened at a moment; words that were said, or that answer them, only where `with_words`.
    pub fn new(event: &Event, at: SystemTime, with_words: bool) -> Dated {
        let words = |text: &String| with_words.then(|| text.clone());
        let happened = match event {
            Event::Wake => Happened::Wake,
            Event::Heard { text, intent, contact, confidence } => {
                Happened::Heard { intent, contact: contact.clone(), confidence: *confidence, text: words(text) }
            }
            Event::Rejected => Happened::Rejected,
            Event::Ringing(call, peer) => Happened::Ringing(Concerning::new(*call, peer)),
            Event::Answered(call, peer) => Happened::Answered(Concerning::new(*call, peer)),
            Event::Missed(call, peer) => Happened::Missed(Concerning::new(*call, peer)),
            Event::Ended { call, peer, reason, talked, outgoing: _ } => {
                let sip_code = if let EndReason::Failed(code) = reason { Some(*code) } else { None };
                let talked_ms = u64::try_from(talked.as_millis()).unwrap_or(u64::MAX);
                Happened::Ended { of: Concerning::new(*call, peer), reason: reason.key(), sip_code, talked_ms }
            }
            Event::Dtmf(call, digit) => Happened::Dtmf { id: call.to_string(), digit: *digit },
            Event::DropIn { call, peer, listens } => Happened::DropIn { of: Concerning::new(*call, peer), listens: *listens },
            Event::Moved { call, peer, to } => Happened::Handover { of: Concerning::new(*call, peer), to: to.clone() },
            Event::Denied(text) => Happened::Denied { text: words(text) },
            Event::Announcement { id, from, progress } => {
                let (state, rooms) = match progress {
                    Progress::Sent(to) => ("sent", Some(to.clone())),
                    Progress::Delivered(missed) if missed.is_empty() => ("delivered", None),
                    Progress::Delivered(missed) => ("missed", Some(missed.clone())),
                    Progress::Waiting => ("waiting", None),
                    Progress::Playing => ("playing", None),
                    Progress::Heard => ("heard", None),
                };
                Happened::Announcement { id: id.to_string(), from: from.clone(), state, rooms }
            }
        };
        Dated { happened, at: rfc3339(at) }
    }
}

/// The payload of `done/<id>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Done {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<Result<(), String>> for Done {
    fn from(result: Result<(), String>) -> Done {
        Done { ok: result.is_ok(), error: result.err() }
    }
}

/// Any payload as bytes.
pub fn json(payload: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(payload).expect("our payloads have text keys and nothing that JSON lacks")
}

/// The word for a call's state.
pub fn state(state: CallState) -> &'static str {
    match state {
        CallState::Idle => "idle",
        CallState::Dialing => "dialing",
        CallState::Ringing => "ringing",
        CallState::Ringback => "ringback",
        CallState::Connected => "connected",
        CallState::Held => "held",
        CallState::Carried => "carried",
        CallState::Ending => "ending",
    }
}

fn direction(call: CallId) -> &'static str {
    match call {
        CallId::Out(_) => "out",
        CallId::In(_) => "in",
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use control::house::AnnouncementId;

    use super::*;

    fn check(event: Event, with_words: bool, expected: &str) {
        let mut found: serde_json::Value = serde_json::from_slice(&json(&Dated::new(&event, UNIX_EPOCH, with_words))).unwrap();
        let at = found.as_object_mut().unwrap().remove("at").unwrap();
        assert!(at.as_str().unwrap().starts_with("19"), "{at}");
        assert_eq!(found, serde_json::from_str::<serde_json::Value>(expected).unwrap());
        assert!(Dated::EVENTS.contains(&found["event"].as_str().unwrap()));
    }

    #[test]
    fn words_are_told_only_where_that_is_wanted() {
        let heard = Event::Heard { text: "call mom".into(), intent: "dial", contact: Some("Mom".into()), confidence: 0.5 };
        check(heard.clone(), false, r#"{"event": "heard", "intent": "dial", "contact": "Mom", "confidence": 0.5}"#);
        check(heard, true, r#"{"event": "heard", "intent": "dial", "contact": "Mom", "confidence": 0.5, "text": "call mom"}"#);
        check(Event::Denied("I do not know Bob".into()), false, r#"{"event": "denied"}"#);
        check(Event::Denied("I do not know Bob".into()), true, r#"{"event": "denied", "text": "I do not know Bob"}"#);
    }

    #[test]
    fn each_event_has_its_word() {
        check(Event::Wake, false, r#"{"event": "wake"}"#);
        check(Event::Rejected, false, r#"{"event": "rejected"}"#);
        check(Event::Dtmf(CallId::In(3), '#'), false, r##"{"event": "dtmf", "id": "in-3", "digit": "#"}"##);
        let announcement = |progress| Event::Announcement { id: AnnouncementId("a1".into()), from: "hall".into(), progress };
        let sent = r#"{"event": "announcement", "id": "a1", "from": "hall", "state": "sent", "rooms": ["kitchen"]}"#;
        check(announcement(Progress::Sent(vec!["kitchen".into()])), false, sent);
        let heard = r#"{"event": "announcement", "id": "a1", "from": "hall", "state": "heard"}"#;
        check(announcement(Progress::Heard), false, heard);
    }

    #[test]
    fn without_a_call_everything_is_null() {
        let report = CallReport { state: CallState::Idle, call: None, peer: None, parties: Vec::new(), muted: false };
        let idle = r#"{"state":"idle","id":null,"direction":null,"peer":null,"since":null,"parties":[],"muted":false}"#;
        assert_eq!(String::from_utf8(json(&Call::new(&report, UNIX_EPOCH))).unwrap(), idle);
        assert_eq!(Call::new(&report, UNIX_EPOCH), Call::idle());
        let dialing = CallReport { state: CallState::Dialing, call: Some(CallId::Out(1)), ..report };
        let dialing = Call::new(&dialing, UNIX_EPOCH + Duration::from_secs(86_400));
        assert_eq!((dialing.state, dialing.id.as_deref(), dialing.direction), ("dialing", Some("out-1"), Some("out")));
        assert!(dialing.since.unwrap().starts_with("1970-01-0"));
    }

    #[test]
    fn settings_take_each_change() {
        let mut now = SettingsNow::default();
        now.change(SettingReport::Volume(Bus::Ring, 30));
        now.change(SettingReport::DoNotDisturb(true));
        let text = r#"{"volume":{"call":0,"ring":30,"announce":0},"muted":false,"do_not_disturb":true,"quiet":false}"#;
        assert_eq!(String::from_utf8(json(&now)).unwrap(), text);
    }

    #[test]
    fn what_waits_is_counted() {
        let peer = Peer { name: "Mom".into(), address: "sip:mom@192.168.1.20".parse().unwrap(), known: true };
        let waiting = action::Waiting { missed: vec![action::Missed { peer, n: 2 }], announcements: 1 };
        let mom = r#"{"name":"Mom","address":"sip:mom@192.168.1.20","kind":"contact","calls":2}"#;
        let text = format!(r#"{{"missed":[{mom}],"calls":2,"announcements":1}}"#);
        assert_eq!(String::from_utf8(json(&Waiting::new(&waiting))).unwrap(), text);
    }

    #[test]
    fn unknown_figures_are_left_out_and_impossible_ones_are_null() {
        let metrics = Metrics { uptime_s: 1, erle_db: Some(f32::NAN), ..Metrics::default() };
        let text = r#"{"uptime_s":1,"erle_db":null,"xruns":0,"wakes":0,"mqtt_dropped":0}"#;
        assert_eq!(String::from_utf8(json(&metrics)).unwrap(), text);
    }
}
