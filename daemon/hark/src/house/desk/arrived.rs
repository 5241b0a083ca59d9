//! Announcements that have arrived here, until they have been heard.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use control::house::{Announced, AnnouncementId, HouseEvent, Priority, RoomName};
use media::RATE_HZ;
use media::clip::{self, Clip};
use media::order::SoundId;

use super::note::Note;
use super::page::Page;
use crate::sound::OF_DESK;

/// How many are kept at most.
const KEPT: usize = 8;
/// How much sound is kept at most, all together: 23 MB.
const KEPT_SAMPLES: usize = 120 * RATE_HZ as usize;
/// Names that are remembered, to know what arrives twice.
const REMEMBERED: usize = 64;
/// A sender that does not say "go" by then is gone: it is played without.
const GO_WITHIN: Duration = Duration::from_secs(2);
/// So long after its end a sound is over, whether the engine says so or not.
const GRACE: Duration = Duration::from_secs(2);
/// Longer than any page.
const PAGE_AT_MOST: Duration = Duration::from_secs(super::page::LONGEST_S as u64 + 5);

/// What is to be done next.
pub enum Next {
    /// Its samples are to be made.
    Make(AnnouncementId),
    /// Whoever sent it is to know.
    Note(RoomName, AnnouncementId, Note),
    /// The decisions are to know.
    Event(HouseEvent),
    /// The engine plays it at that moment, or at once.
    Play(SoundId, clip::Sound, Option<Instant>),
    /// The engine stops.
    Stop(SoundId),
}

/// What is heard.
pub enum Content {
    /// Ready in memory.
    Clip(Clip),
    /// Still arriving.
    Page(Box<Page>),
}

enum Stage {
    /// Its samples are being made.
    Making,
    /// The decisions know of it.
    Offered(Content),
    /// It may be heard; whoever sent it says when.
    Ready { content: Content, until: Instant },
    /// It is being heard.
    Playing { sound: SoundId, until: Instant },
}

struct Arrived {
    id: AnnouncementId,
    from: RoomName,
    priority: Priority,
    stage: Stage,
}

/// All that have arrived and are not over.
#[derive(Default)]
pub struct Inbox {
    waiting: Vec<Arrived>,
    known: VecDeque<AnnouncementId>,
    next_sound: u32,
}

impl Inbox {
    /// One has arrived.
    pub fn said(&mut self, from: &str, id: AnnouncementId, priority: Priority) -> Vec<Next> {
        if self.known.contains(&id) {
            let making = self.waiting.iter().any(|it| it.id == id && matches!(it.stage, Stage::Making));
            return if making { Vec::new() } else { vec![Next::Note(from.into(), id, Note::Got)] };
        }
        if self.waiting.len() >= KEPT {
            return vec![Next::Note(from.into(), id, Note::Refused(format!("{KEPT} announcements wait already")))];
        }
        self.remember(&id);
        self.waiting.push(Arrived { id: id.clone(), from: from.into(), priority, stage: Stage::Making });
        vec![Next::Make(id)]
    }

    /// A page begins.
    pub fn paged(&mut self, from: &str, id: AnnouncementId, page: Box<Page>) -> Vec<Next> {
        if self.waiting.len() >= KEPT {
            return Vec::new();
        }
        self.remember(&id);
        let (announced, stage) = (announced(&id, from, Priority::Normal), Stage::Offered(Content::Page(page)));
        self.waiting.push(Arrived { id, from: from.into(), priority: Priority::Normal, stage });
        vec![announced]
    }

    /// Its samples are there, or cannot be.
    pub fn made(&mut self, id: &AnnouncementId, clip: Result<Clip, String>) -> Vec<Next> {
        let kept: usize = self.waiting.iter().map(Arrived::n_samples).sum();
        let Some(n) = self.waiting.iter().position(|it| it.id == *id && matches!(it.stage, Stage::Making)) else {
            return Vec::new();
        };
        let clip = clip.and_then(|it| match kept + it.samples().len() <= KEPT_SAMPLES {
            true => Ok(it),
            false => Err("too much waits already".into()),
        });
        match clip {
            Ok(clip) => {
                let it = &mut self.waiting[n];
                it.stage = Stage::Offered(Content::Clip(clip));
                vec![Next::Note(it.from.clone(), id.clone(), Note::Got), announced(id, &it.from, it.priority)]
            }
            Err(why) => {
                let it = self.waiting.remove(n);
                vec![Next::Note(it.from, id.clone(), Note::Refused(why))]
            }
        }
    }

    /// It may be heard.
    pub fn play(&mut self, now: Instant, id: &AnnouncementId) -> Vec<Next> {
        let Some(n) = self.waiting.iter().position(|it| it.id == *id) else {
            return vec![Next::Event(HouseEvent::AnnouncementOver(id.clone()))];
        };
        let it = self.waiting.remove(n);
        match it.stage {
            Stage::Offered(content @ Content::Page(_)) => {
                let (play, stage) = self.start(now, content, None);
                self.waiting.push(Arrived { stage, ..it });
                vec![play]
            }
            Stage::Offered(content) => {
                let ready = Next::Note(it.from.clone(), id.clone(), Note::Ready);
                self.waiting.push(Arrived { stage: Stage::Ready { content, until: now + GO_WITHIN }, ..it });
                vec![ready]
            }
            stage => {
                self.waiting.push(Arrived { stage, ..it });
                Vec::new()
            }
        }
    }

    /// Whoever sent it says when.
    pub fn go(&mut self, now: Instant, from: &str, id: &AnnouncementId, at: Instant) -> Vec<Next> {
        self.go_if(now, Some(at), |it| it.id == *id && it.from == from).into_iter().collect()
    }

    /// It is not wanted.
    pub fn forget(&mut self, id: &AnnouncementId) -> Vec<Next> {
        let Some(n) = self.waiting.iter().position(|it| it.id == *id) else { return Vec::new() };
        match self.waiting.remove(n).stage {
            Stage::Playing { sound, .. } => vec![Next::Stop(sound)],
            Stage::Making | Stage::Offered(_) | Stage::Ready { .. } => Vec::new(),
        }
    }

    /// The engine is done with it.
    pub fn played(&mut self, sound: SoundId) -> Vec<Next> {
        let is_it = |it: &Arrived| matches!(it.stage, Stage::Playing { sound: playing, .. } if playing == sound);
        let Some(n) = self.waiting.iter().position(is_it) else { return Vec::new() };
        vec![Next::Event(HouseEvent::AnnouncementOver(self.waiting.remove(n).id))]
    }

    /// When [`Inbox::turn`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        let until = |it: &Arrived| match it.stage {
            Stage::Ready { until, .. } | Stage::Playing { until, .. } => Some(until),
            Stage::Making | Stage::Offered(_) => None,
        };
        self.waiting.iter().filter_map(until).min()
    }

    /// Time has passed.
    pub fn turn(&mut self, now: Instant) -> Vec<Next> {
        let mut next = Vec::new();
        let is_stuck = |it: &Arrived| matches!(it.stage, Stage::Playing { until, .. } if until <= now);
        while let Some(n) = self.waiting.iter().position(is_stuck) {
            let it = self.waiting.remove(n);
            if let Stage::Playing { sound, .. } = it.stage {
                next.extend([Next::Stop(sound), Next::Event(HouseEvent::AnnouncementOver(it.id))]);
            }
        }
        let is_alone = |it: &Arrived| matches!(it.stage, Stage::Ready { until, .. } if until <= now);
        while let Some(play) = self.go_if(now, None, is_alone) {
            next.push(play);
        }
        next
    }

    fn go_if(&mut self, now: Instant, at: Option<Instant>, which: impl Fn(&Arrived) -> bool) -> Option<Next> {
        let n = self.waiting.iter().position(|it| matches!(it.stage, Stage::Ready { .. }) && which(it))?;
        let it = self.waiting.remove(n);
        let Stage::Ready { content, .. } = it.stage else { return None };
        let (play, stage) = self.start(now, content, at);
        self.waiting.push(Arrived { stage, ..it });
        Some(play)
    }

    fn start(&mut self, now: Instant, content: Content, at: Option<Instant>) -> (Next, Stage) {
        let sound = SoundId(OF_DESK | self.next_sound);
        self.next_sound = (self.next_sound + 1) % OF_DESK;
        let (source, lasts): (clip::Sound, _) = match content {
            Content::Clip(clip) => (clip.sound(), Duration::from_secs_f64(clip.samples().len() as f64 / f64::from(RATE_HZ))),
            Content::Page(page) => (page, PAGE_AT_MOST),
        };
        let until = at.unwrap_or(now).max(now) + lasts + GRACE;
        (Next::Play(sound, source, at), Stage::Playing { sound, until })
    }

    fn remember(&mut self, id: &AnnouncementId) {
        if self.known.len() == REMEMBERED {
            self.known.pop_front();
        }
        self.known.push_back(id.clone());
    }
}

impl Arrived {
    fn n_samples(&self) -> usize {
        match &self.stage {
            Stage::Offered(Content::Clip(clip)) | Stage::Ready { content: Content::Clip(clip), .. } => clip.samples().len(),
            _ => 0,
        }
    }
}

fn announced(id: &AnnouncementId, from: &str, priority: Priority) -> Next {
    Next::Event(HouseEvent::Announced(Announced { id: id.clone(), from: from.into(), priority }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> AnnouncementId {
        AnnouncementId(name.into())
    }

    fn clip(seconds: f32) -> Result<Clip, String> {
        Ok(Clip::new(&vec![0.1; (seconds * 48_000.0) as usize], 48_000))
    }

    /// As short text.
    fn told(next: Vec<Next>) -> Vec<String> {
        let text = |it| match it {
            Next::Make(id) => format!("make {id}"),
            Next::Note(to, id, Note::Refused(_)) => format!("refuse {id} to {to}"),
            Next::Note(to, id, note) => format!("{note:?} {id} to {to}"),
            Next::Event(HouseEvent::Announced(it)) => format!("announced {}", it.id),
            Next::Event(HouseEvent::AnnouncementOver(id)) => format!("over {id}"),
            Next::Event(_) => "?".into(),
            Next::Play(sound, _, at) => format!("play {}{}", sound.0 - OF_DESK, if at.is_some() { " at" } else { "" }),
            Next::Stop(sound) => format!("stop {}", sound.0 - OF_DESK),
        };
        next.into_iter().map(text).collect()
    }

    #[test]
    fn one_is_made_offered_ready_played_and_over_and_heard_once() {
        let (mut inbox, now) = (Inbox::default(), Instant::now());
        assert_eq!(told(inbox.said("hall", id("a"), Priority::Normal)), ["make a"]);
        assert_eq!(told(inbox.said("hall", id("a"), Priority::Normal)), [""; 0], "twice on its way");
        assert_eq!(told(inbox.made(&id("a"), clip(1.0))), ["Got a to hall", "announced a"]);
        assert_eq!(told(inbox.said("hall", id("a"), Priority::Normal)), ["Got a to hall"]);
        assert_eq!(told(inbox.go(now, "hall", &id("a"), now)), [""; 0], "not before it may be heard");
        assert_eq!(told(inbox.play(now, &id("a"))), ["Ready a to hall"]);
        assert_eq!(told(inbox.go(now, "study", &id("a"), now)), [""; 0], "somebody else's");
        assert_eq!(told(inbox.go(now, "hall", &id("a"), now)), ["play 0 at"]);
        assert_eq!(told(inbox.go(now, "hall", &id("a"), now)), [""; 0]);
        assert_eq!(told(inbox.played(SoundId(OF_DESK))), ["over a"]);
        assert_eq!(told(inbox.said("hall", id("a"), Priority::Normal)), ["Got a to hall"]);
        assert_eq!((inbox.deadline(), told(inbox.play(now, &id("a")))), (None, vec!["over a".into()]));
    }

    #[test]
    fn nobody_says_go_and_the_engine_says_nothing() {
        let (mut inbox, now) = (Inbox::default(), Instant::now());
        inbox.said("hall", id("a"), Priority::Normal);
        inbox.made(&id("a"), clip(1.0));
        inbox.play(now, &id("a"));
        assert_eq!((inbox.deadline(), told(inbox.turn(now))), (Some(now + GO_WITHIN), vec![]));
        let now = now + GO_WITHIN;
        assert_eq!(told(inbox.turn(now)), ["play 0"]);
        assert_eq!(inbox.deadline(), Some(now + Duration::from_secs(1) + GRACE));
        assert_eq!(told(inbox.turn(now + Duration::from_secs(3))), ["stop 0", "over a"]);
    }

    #[test]
    fn what_does_not_fit_or_cannot_be_made_is_refused() {
        let mut inbox = Inbox::default();
        inbox.said("hall", id("bad"), Priority::Normal);
        assert_eq!(told(inbox.made(&id("bad"), Err("junk".into()))), ["refuse bad to hall"]);
        for n in 0..KEPT {
            inbox.said("hall", id(&n.to_string()), Priority::Normal);
        }
        assert_eq!(told(inbox.said("hall", id("9"), Priority::Urgent)), ["refuse 9 to hall"]);
        for (n, refused) in [(0, false), (1, false), (2, true)] {
            let told = told(inbox.made(&id(&n.to_string()), clip(50.0)));
            assert_eq!(told[0].starts_with("refuse"), refused, "{told:?}");
        }
        assert_eq!(told(inbox.said("hall", id("9"), Priority::Urgent)), ["make 9"], "it may come again");
        assert_eq!(told(inbox.forget(&id("0"))), [""; 0]);
        assert_eq!(told(inbox.made(&id("9"), clip(50.0))), ["Got 9 to hall", "announced 9"]);
    }
}
