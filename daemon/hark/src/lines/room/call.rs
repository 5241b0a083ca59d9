//! One call between rooms: a task from the first letter to the last word.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::media::party::{CodecKind, Packet, party};
use control::action::LineAction;
use control::call::{CallId, EndReason, How};
use control::house::RoomName;
use control::input::LineEvent;
use rtrb::{Consumer, Producer};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;
use tracing::{debug, info, warn};

use super::super::bell::Bell;
use super::super::{FromLine, new_party_id};
use super::media::{Happened, Kit, Media, to_engine};
use super::words::{Description, Words};
use super::{LATE, letter};
use crate::house::{Post, Undelivered};

/// A room without power has not acknowledged until then.
const REACHED_WITHIN: Duration = Duration::from_secs(2);

/// A room that has our letter says that it rings, or why not, until then.
const RINGS_WITHIN: Duration = Duration::from_secs(3);

/// Once somebody has answered, sound flows until then.
const CONNECTED_WITHIN: Duration = Duration::from_secs(5);

/// Sound flows always, also of silence and on hold. When none comes for so long the other end is gone.
const LOST_AFTER: Duration = Duration::from_millis(2500);

/// How often it is looked whether our addresses have changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What a call's task is told.
pub enum ToCall {
    /// What control wants.
    Action(LineAction),
    /// What the other end says.
    Words(Words),
}

/// A call's task.
pub struct Call {
    /// Its name here.
    pub id: CallId,
    /// The other end.
    pub room: RoomName,
    /// Its name in letters.
    pub name: String,
    /// What it is told.
    pub inbox: mpsc::Receiver<ToCall>,
    /// What it tells.
    pub events: mpsc::Sender<FromLine>,
    /// To the other end.
    pub post: Post,
    /// Keys for the media.
    pub kit: Arc<Kit>,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// We call; the other end has said nothing yet.
    Offered { until: Instant },
    /// It rings there.
    Alerting,
    /// We are called.
    Ringing,
    /// Somebody has answered; sound is on its way.
    Answered { until: Instant },
    /// Both can talk.
    Up,
}

/// Whether the call goes on.
type Next = Result<(), End>;

/// Why it does not.
enum End {
    /// Because we want it so.
    Ours(EndReason),
    /// Because they want it so, or are gone.
    Theirs(EndReason),
    /// We do not take it.
    Refused(EndReason),
}

/// The engine's packets.
struct Voice {
    downlink: Producer<Packet>,
    uplink: Consumer<Packet>,
    bell: Bell,
}

/// A call that lives.
struct Life {
    call: Call,
    media: Media,
    caller: bool,
    state: State,
    /// What became of our offer.
    offer: Option<oneshot::Receiver<Result<(), Undelivered>>>,
    connected: bool,
    voice: Option<Voice>,
    heard_at: Instant,
    look_at: Instant,
    received: u32,
    sent: u32,
}

impl Call {
    async fn tell(&self, event: LineEvent) {
        self.events.send(FromLine::Event(event)).await.ok();
    }

    async fn ended(&self, reason: EndReason) {
        info!(call = %self.id, ?reason, "call to a room ended");
        self.tell(LineEvent::Ended(self.id, reason)).await;
    }

    fn write(&self, words: &Words) {
        self.post.drop_in_box(letter(self.room.clone(), self.name.clone(), words, LATE));
    }

    /// Places the call and lives through it.
    pub async fn dial(self, how: How) {
        let mut media = match Media::open(&self.kit, true) {
            Ok(media) => media,
            Err(error) => {
                warn!(call = %self.id, %error, "no way to other rooms");
                return self.ended(EndReason::Unreachable).await;
            }
        };
        let words = Words::Offer { how, media: media.description() };
        let offer = letter(self.room.clone(), self.name.clone(), &words, REACHED_WITHIN);
        let (tell, told) = oneshot::channel();
        let post = self.post.clone();
        tokio::spawn(async move { tell.send(post.send(offer).await) });
        self.events.send(FromLine::Invited(self.id, Instant::now())).await.ok();
        info!(call = %self.id, "a room is called");
        let state = State::Offered { until: Instant::now() + RINGS_WITHIN };
        Life::new(self, media, state, Some(told)).live().await;
    }

    /// Lives through a call that has come in.
    pub async fn ring(self, theirs: Description) {
        match Media::open(&self.kit, false) {
            Ok(mut media) => {
                // The way for the sound is made while it rings.
                media.begin(&theirs, false);
                Life::new(self, media, State::Ringing, None).live().await;
            }
            Err(error) => {
                warn!(call = %self.id, %error, "no way to other rooms");
                self.write(&Words::Refused(EndReason::NoCommonMedia));
                self.ended(EndReason::NoCommonMedia).await;
            }
        }
    }
}

impl Life {
    fn new(call: Call, media: Media, state: State, offer: Option<oneshot::Receiver<Result<(), Undelivered>>>) -> Life {
        let now = Instant::now();
        let caller = state != State::Ringing;
        Life {
            call,
            media,
            caller,
            state,
            offer,
            connected: false,
            voice: None,
            heard_at: now,
            look_at: now + LOOK_EVERY,
            received: 0,
            sent: 0,
        }
    }

    async fn live(mut self) {
        let end = loop {
            let due = self.due();
            let next = tokio::select! {
                biased;
                rung = rung(&mut self.voice) => match rung {
                    Ok(()) => self.send(),
                    Err(_) => Err(End::Ours(EndReason::MediaLost)),
                },
                happened = self.media.next() => self.media_told(happened).await,
                told = self.call.inbox.recv() => match told {
                    Some(ToCall::Action(action)) => self.act(action).await,
                    Some(ToCall::Words(words)) => self.read(words).await,
                    None => Err(End::Ours(EndReason::WeHungUp)),
                },
                offered = offered(&mut self.offer) => self.offered(offered),
                () = sleep_until(due.into()) => self.time_is_up(Instant::now()),
            };
            if let Err(end) = next {
                break end;
            }
        };
        self.end(end).await;
    }

    async fn end(mut self, end: End) {
        let up = self.state == State::Up;
        let reason = match end {
            End::Ours(reason) => {
                let told = if reason == EndReason::MediaLost { reason } else { EndReason::TheyHungUp };
                self.call.write(&Words::Bye(told));
                self.media.close();
                reason
            }
            End::Refused(reason) => {
                self.call.write(&Words::Refused(reason));
                reason
            }
            End::Theirs(reason) => reason,
        };
        if up {
            info!(call = %self.call.id, received = self.received, sent = self.sent, "media of the call");
        }
        self.call.ended(reason).await;
    }

    fn due(&self) -> Instant {
        match self.state {
            State::Offered { until } | State::Answered { until } => until.min(self.look_at),
            State::Alerting | State::Ringing => self.look_at,
            State::Up => (self.heard_at + LOST_AFTER).min(self.look_at),
        }
    }

    fn time_is_up(&mut self, now: Instant) -> Next {
        if now >= self.look_at {
            self.look_at = now + LOOK_EVERY;
            self.media.look_for_addresses();
        }
        match self.state {
            State::Offered { until } if now >= until => Err(End::Ours(EndReason::Unreachable)),
            State::Answered { until } if now >= until => Err(End::Ours(self.no_way())),
            State::Up if now >= self.heard_at + LOST_AFTER => Err(End::Ours(EndReason::MediaLost)),
            _ => Ok(()),
        }
    }

    /// What it is when no sound gets through.
    fn no_way(&self) -> EndReason {
        if self.caller { EndReason::Unreachable } else { EndReason::MediaLost }
    }

    fn offered(&mut self, offered: Result<(), Undelivered>) -> Next {
        self.offer = None;
        match offered {
            Ok(()) => Ok(()),
            Err(Undelivered::Unknown(_)) => Err(End::Theirs(EndReason::NotFound)),
            // Whoever has spoken has read it.
            Err(_) if !matches!(self.state, State::Offered { .. }) => Ok(()),
            Err(error) => {
                debug!(call = %self.call.id, %error, "not reached");
                Err(End::Ours(EndReason::Unreachable))
            }
        }
    }

    /// What control wants.
    async fn act(&mut self, action: LineAction) -> Next {
        match (action, self.state) {
            (LineAction::HangUp(_), _) => return Err(End::Ours(EndReason::WeHungUp)),
            (LineAction::Alert(_), State::Ringing) => self.call.write(&Words::Ringing(self.media.description())),
            (LineAction::Accept(_), State::Ringing) => {
                self.call.write(&Words::Answer(self.media.description()));
                self.state = State::Answered { until: Instant::now() + CONNECTED_WITHIN };
                if self.connected {
                    return self.up().await;
                }
            }
            (LineAction::Reject(_, reason), State::Ringing) => return Err(End::Refused(reason)),
            (LineAction::Hold(_), State::Up) => self.call.write(&Words::Hold),
            (LineAction::Resume(_), State::Up) => self.call.write(&Words::Resume),
            (LineAction::Dtmf(_, keys), State::Up) => self.call.write(&Words::Keys(keys)),
            (LineAction::Ask(_, ask), State::Up) => self.call.write(&Words::Ask(ask)),
            // Late or crossed on the wire.
            _ => (),
        }
        Ok(())
    }

    /// What the other end says. What makes no sense now is late or crossed on the wire: it changes nothing.
    async fn read(&mut self, words: Words) -> Next {
        let id = self.call.id;
        match (words, self.state) {
            (Words::Ringing(theirs), State::Offered { .. }) => {
                self.media.begin(&theirs, true);
                self.state = State::Alerting;
                self.call.tell(LineEvent::Alerting(id)).await;
            }
            (Words::Answer(theirs), State::Offered { .. } | State::Alerting) => {
                self.media.begin(&theirs, true);
                return self.answered().await;
            }
            (Words::Refused(reason), State::Offered { .. } | State::Alerting) => return Err(End::Theirs(reason)),
            (Words::Bye(reason), State::Up) => return Err(End::Theirs(reason)),
            (Words::Bye(_), _) if self.caller => return Err(End::Theirs(EndReason::Unreachable)),
            (Words::Bye(_), _) => return Err(End::Theirs(EndReason::Cancelled)),
            (Words::Hold, State::Up) => self.call.tell(LineEvent::HeldByThem(id)).await,
            (Words::Resume, State::Up) => self.call.tell(LineEvent::ResumedByThem(id)).await,
            (Words::Ask(ask), State::Up) => self.call.tell(LineEvent::Asked(id, ask)).await,
            (Words::Keys(keys), State::Up) => {
                for key in keys.chars().filter(|it| it.is_ascii_digit() || "*#ABCD".contains(*it)) {
                    self.call.tell(LineEvent::Dtmf(id, key)).await;
                }
            }
            _ => (),
        }
        Ok(())
    }

    /// The other end has answered.
    async fn answered(&mut self) -> Next {
        self.state = State::Answered { until: Instant::now() + CONNECTED_WITHIN };
        if self.connected { self.up().await } else { Ok(()) }
    }

    async fn media_told(&mut self, happened: Happened) -> Next {
        match (happened, self.state) {
            (Happened::Connected, state) => {
                debug!(call = %self.call.id, "sound can flow");
                self.connected = true;
                if let State::Answered { .. } = state {
                    return self.up().await;
                }
            }
            (Happened::Packet(rtp), state) => {
                // Only who has answered sends sound, and only the other end has these keys: faster than any letter.
                if self.caller && matches!(state, State::Offered { .. } | State::Alerting) {
                    self.answered().await?;
                }
                self.heard_at = Instant::now();
                self.received = self.received.wrapping_add(1);
                if let (Some(voice), Some(packet)) = (&mut self.voice, to_engine(&rtp)) {
                    // A full ring means that the engine stalls: what it cannot take is lost, as on any network.
                    voice.downlink.push(packet).ok();
                }
            }
            (Happened::Closed, State::Up) => return Err(End::Theirs(EndReason::TheyHungUp)),
            (Happened::Closed | Happened::Gone, State::Ringing) => return Err(End::Theirs(EndReason::Cancelled)),
            (Happened::Closed, _) => return Err(End::Theirs(EndReason::Unreachable)),
            (Happened::Gone, State::Alerting) => return Err(End::Ours(EndReason::Unreachable)),
            // While sound flows, silence decides.
            (Happened::Gone, _) => debug!(call = %self.call.id, "the other end does not answer"),
            (Happened::Broken, State::Up) => return Err(End::Ours(EndReason::MediaLost)),
            (Happened::Broken, _) => return Err(End::Ours(EndReason::NoCommonMedia)),
        }
        Ok(())
    }

    /// Both ends can talk.
    async fn up(&mut self) -> Next {
        let failed = |error: std::io::Error| {
            warn!(%error, "no media");
            End::Ours(EndReason::Failed(500))
        };
        let (party, end) = party(new_party_id(), CodecKind::Opus).map_err(failed)?;
        self.voice = Some(Voice { downlink: end.downlink, uplink: end.uplink, bell: Bell::new(end.wake).map_err(failed)? });
        self.state = State::Up;
        self.heard_at = Instant::now();
        self.call.events.send(FromLine::Media(self.call.id, party)).await.ok();
        self.call.tell(LineEvent::Answered(self.call.id)).await;
        Ok(())
    }

    /// Sends what the engine has made, without waiting for anything.
    fn send(&mut self) -> Next {
        if let Some(voice) = &mut self.voice {
            while let Ok(packet) = voice.uplink.pop() {
                self.media.send(&packet);
                self.sent = self.sent.wrapping_add(1);
            }
        }
        Ok(())
    }
}

async fn rung(voice: &mut Option<Voice>) -> std::io::Result<()> {
    match voice {
        Some(voice) => voice.bell.rung().await,
        None => std::future::pending().await,
    }
}

async fn offered(offer: &mut Option<oneshot::Receiver<Result<(), Undelivered>>>) -> Result<(), Undelivered> {
    match offer {
        // Whoever carried it is gone: then the call times out.
        Some(offer) => match offer.await {
            Ok(offered) => offered,
            Err(_) => Ok(()),
        },
        None => std::future::pending().await,
    }
}
