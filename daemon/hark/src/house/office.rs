//! The task of the house: gives the courier what comes from links, multicast, mDNS, the broker and the command line, and sends what it wants sent.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep_until;
use tracing::{debug, info, warn};

use super::air::{FromBroker, ToBroker};
use super::courier::{Courier, HouseStatus, Via, Way};
use super::direct::{Notice, Order};
use super::identity::{self, Identity};
use super::join::{self, Heard, Invitation, Joined, Joining, Step};
use super::mdns::{Mdns, Seen};
use super::members::{self, Members};
use super::{HouseSettings, Posted, multicast};

/// How long a new speaker looks for the one that invites it.
const LOOK_FOR: Duration = Duration::from_secs(15);
/// How often it says again what was not answered.
const SAY_AGAIN: Duration = Duration::from_millis(500);
/// Speakers that were seen, to be asked when we want to join.
const MOST_SIGHTED: usize = 64;
/// Those who are left behind get so long to hear of it.
const FAREWELL: Duration = Duration::from_millis(300);

/// What can be asked about the house.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "lowercase", deny_unknown_fields)]
pub enum Ask {
    /// Who is there.
    Status,
    /// A code for a new speaker.
    Invite,
    /// Joins the house of whoever gave the code.
    Join {
        /// The code.
        code: String,
        /// Where that speaker listens, for networks without mDNS and without a common broker.
        #[serde(default)]
        at: Option<SocketAddr>,
    },
    /// Trusts a speaker no more.
    Remove {
        /// Its room.
        room: String,
    },
    /// Leaves the house.
    Leave,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Told {
    /// Who is there.
    Status(HouseStatus),
    /// The code, and how long it is good.
    Code(String, u64),
    /// Whose house it is now, and how many other speakers are in it.
    Joined(String, usize),
    /// It is done.
    Done,
}

/// A question and who waits for the answer.
pub type Asked = (Ask, oneshot::Sender<Result<Told, String>>);

/// Everything that the office is connected to.
pub struct Wires {
    /// Letters to be sent.
    pub letters: mpsc::Receiver<Posted>,
    /// Questions.
    pub asked: mpsc::Receiver<Asked>,
    /// From the straight links.
    pub notices: mpsc::Receiver<Notice>,
    /// To them; a full channel drops, and the courier tries again.
    pub orders: mpsc::Sender<Order>,
    /// From the broker.
    pub from_broker: mpsc::Receiver<FromBroker>,
    /// To it; as `orders`.
    pub to_broker: mpsc::Sender<ToBroker>,
    /// Who was seen by mDNS.
    pub seen: mpsc::Receiver<Seen>,
    /// For another start of mDNS.
    pub seen_in: mpsc::Sender<Seen>,
    /// To everyone.
    pub multicast: Option<UdpSocket>,
    /// What people see.
    pub status: watch::Receiver<HouseStatus>,
    /// Speaks a code.
    pub speak: mpsc::Sender<String>,
}

/// Joining a house: with whom, straight to where, until when, and who waits for the outcome.
type UnderWay = (Joining, Option<SocketAddr>, Instant, oneshot::Sender<Result<Told, String>>);

/// The task.
pub struct Office {
    settings: HouseSettings,
    courier: Courier,
    wires: Wires,
    links: Vec<SocketAddr>,
    mdns: Option<Mdns>,
    sighted: VecDeque<SocketAddr>,
    invitation: Option<Invitation>,
    joining: Option<UnderWay>,
    say_again: Instant,
}

impl Office {
    /// Puts it together; `links` is where our straight link can be reached.
    pub fn new(settings: HouseSettings, courier: Courier, wires: Wires, links: Vec<SocketAddr>) -> Office {
        Office {
            settings,
            courier,
            wires,
            links,
            mdns: None,
            sighted: VecDeque::new(),
            invitation: None,
            joining: None,
            say_again: Instant::now(),
        }
    }

    /// Works until nobody writes letters any more.
    pub async fn run(mut self) {
        self.introduce();
        let mut packet = vec![0; 65_536];
        loop {
            let mut due = self.courier.timeout(Instant::now());
            self.flush().await;
            if self.joining.is_some() {
                due = due.min(self.say_again);
            }
            tokio::select! {
                letter = self.wires.letters.recv() => match letter {
                    Some(posted) => self.courier.post(posted, Instant::now()),
                    None => return,
                },
                Some(notice) = self.wires.notices.recv() => self.link_told(notice),
                Some(told) = self.wires.from_broker.recv() => self.broker_told(told),
                Some(seen) = self.wires.seen.recv() => self.seen(&seen),
                Some((ask, tell)) = self.wires.asked.recv() => self.ask(ask, tell).await,
                Some(n) = receive(&self.wires.multicast, &mut packet) => self.courier.received(Via::Air, &packet[..n], Instant::now()),
                () = sleep_until(due.into()) => self.time_passed(),
            }
        }
    }

    /// Tells the network who we are.
    fn introduce(&mut self) {
        let key = self.courier.us().key().fingerprint();
        self.to_broker(ToBroker::About { key, links: self.links.clone() });
        self.mdns = None;
        let port = self.links.first().map_or(0, SocketAddr::port);
        if self.settings.mdns && port != 0 {
            let (settings, seen) = (&self.settings, self.wires.seen_in.clone());
            match Mdns::start(self.courier.card(), key, &settings.base, port, settings.interface, seen) {
                Ok(mdns) => self.mdns = Some(mdns),
                Err(error) => warn!("other speakers are not found without a broker: {error:#}"),
            }
        }
    }

    async fn flush(&mut self) {
        while let Some((way, bytes)) = self.courier.poll() {
            match way {
                Way::Link(link) => self.order(Order::Link(link, bytes)),
                Way::Address(at) => self.order(Order::Address(at, bytes)),
                Way::Broker(room) => self.to_broker(ToBroker::Letter { room, bytes }),
                Way::All => {
                    if let (Some(socket), Some(group)) = (&self.wires.multicast, self.settings.multicast)
                        && bytes.len() <= multicast::MOST_BYTES
                        && let Err(error) = socket.send_to(&bytes, group).await
                    {
                        debug!(%error, "no multicast");
                    }
                    self.to_broker(ToBroker::Shout(bytes));
                }
            }
        }
    }

    fn order(&self, order: Order) {
        if self.wires.orders.try_send(order).is_err() {
            debug!("too many letters for the straight links: some wait for the next attempt");
        }
    }

    fn to_broker(&self, it: ToBroker) {
        if self.wires.to_broker.try_send(it).is_err() {
            debug!("too many letters for the broker: some wait for the next attempt");
        }
    }

    fn link_told(&mut self, notice: Notice) {
        match notice {
            Notice::Frame { link, from, bytes } => match Step::read(&bytes) {
                Some(step) => self.step(&step, Some(link)),
                None => self.courier.received(Via::Link(link, from), &bytes, Instant::now()),
            },
            Notice::Closed(link) => self.courier.closed(link),
        }
    }

    fn broker_told(&mut self, told: FromBroker) {
        let now = Instant::now();
        match told {
            FromBroker::Up => {
                let key = self.courier.us().key().fingerprint();
                self.to_broker(ToBroker::About { key, links: self.links.clone() });
                self.courier.broker(true, now);
            }
            FromBroker::Down => self.courier.broker(false, now),
            FromBroker::Letter(bytes) => self.courier.received(Via::Air, &bytes, now),
            FromBroker::Join(bytes) => {
                if let Some(step) = Step::read(&bytes) {
                    self.step(&step, None);
                }
            }
            FromBroker::Online { room, online } => self.courier.online(&room, online, now),
            FromBroker::About { key, links } => self.seen(&Seen { key, addresses: links }),
        }
    }

    fn seen(&mut self, seen: &Seen) {
        if seen.key == self.courier.us().key().fingerprint() {
            return;
        }
        for address in &seen.addresses {
            if !self.sighted.contains(address) {
                self.sighted.push_back(*address);
            }
        }
        while self.sighted.len() > MOST_SIGHTED {
            self.sighted.pop_front();
        }
        self.courier.seen(seen.key, &seen.addresses, Instant::now());
    }

    fn time_passed(&mut self) {
        let now = Instant::now();
        if self.invitation.as_ref().is_some_and(|it| it.until() <= now) {
            self.invitation = None;
        }
        if now < self.say_again {
            return;
        }
        if self.joining.as_ref().is_some_and(|(_, _, until, _)| *until <= now) {
            self.joined(Err("nobody answered; the code is good for 5 minutes: is it right, and are both speakers in the same network or at the \
                             same broker? Else name the other one's address with --at"
                .into()));
        }
        self.say();
    }

    /// Says the present step by every way.
    fn say(&mut self) {
        self.say_again = Instant::now() + SAY_AGAIN;
        let Some((joining, at, _, _)) = &self.joining else { return };
        let bytes: Arc<[u8]> = joining.say().bytes().into();
        for address in self.sighted.iter().chain(at) {
            self.order(Order::Address(*address, bytes.clone()));
        }
        self.to_broker(ToBroker::Join(bytes));
    }

    /// A step of somebody who joins, or of whoever invited us.
    fn step(&mut self, step: &Step, link: Option<u64>) {
        match step.step {
            1 | 3 => self.knocked(step, link),
            _ => self.invited(step),
        }
    }

    fn knocked(&mut self, step: &Step, link: Option<u64>) {
        let now = Instant::now();
        let Some(invitation) = self.invitation.as_mut().filter(|it| now < it.until()) else { return };
        let answer = match invitation.heard(self.courier.us(), self.courier.card(), step) {
            Heard::Nothing => return,
            Heard::Over => {
                warn!("three wrong codes: the invitation is over; `hark house invite` gives a new code");
                self.invitation = None;
                return;
            }
            Heard::Answer(answer) => answer,
            Heard::Knows(key, card) => {
                let room = card.room.clone();
                let verdict = self.courier.admit(key, card, now).map(|()| {
                    info!(room, "a speaker has joined the house");
                    self.courier.members().list(self.courier.us())
                });
                match invitation.verdict(step, verdict) {
                    Some(answer) => answer,
                    None => return,
                }
            }
        };
        let bytes: Arc<[u8]> = answer.bytes().into();
        match link {
            Some(link) => self.order(Order::Link(link, bytes)),
            None => self.to_broker(ToBroker::Join(bytes)),
        }
    }

    fn invited(&mut self, step: &Step) {
        let Some((joining, _, _, _)) = &mut self.joining else { return };
        match joining.heard(self.courier.us(), self.courier.card(), step) {
            Joined::Nothing => (),
            Joined::Say(_) => self.say(),
            Joined::WrongCode => self.joined(Err("the code is wrong; after three wrong ones the invitation is over".into())),
            Joined::Refused(why) => self.joined(Err(why)),
            Joined::In(key, card, list) => {
                let now = Instant::now();
                let room = card.room.clone();
                if let Some((_, Some(at), _, _)) = &self.joining {
                    self.courier.seen(key.fingerprint(), &[*at], now);
                }
                let answer = self.courier.admit(key, card, now).map(|()| {
                    self.courier.merge(list, now);
                    info!(room, "this speaker has joined the house");
                    Told::Joined(room, self.courier.members().len())
                });
                self.joined(answer);
            }
        }
    }

    fn joined(&mut self, answer: Result<Told, String>) {
        if let Some((_, _, _, tell)) = self.joining.take() {
            // Whoever asked may have gone away.
            let _ = tell.send(answer);
        }
    }

    async fn ask(&mut self, ask: Ask, tell: oneshot::Sender<Result<Told, String>>) {
        let now = Instant::now();
        let answer = match ask {
            Ask::Status => {
                self.courier.timeout(now);
                Ok(Told::Status(self.wires.status.borrow().clone()))
            }
            Ask::Invite => self.invite(now),
            Ask::Join { code, at } => match self.join(&code) {
                Ok(joining) => {
                    self.joined(Err("another attempt to join has begun".into()));
                    self.joining = Some((joining, at, now + LOOK_FOR, tell));
                    return self.say();
                }
                Err(why) => Err(why),
            },
            Ask::Remove { room } => self.courier.remove(&room, now).map(|()| Told::Done),
            Ask::Leave => self.leave(now).await.map(|()| Told::Done),
        };
        // Whoever asked may have gone away.
        let _ = tell.send(answer);
    }

    fn invite(&mut self, now: Instant) -> Result<Told, String> {
        if self.courier.members().we_are_removed().is_some() {
            return Err("this speaker was removed from its house; `hark house leave` first".into());
        }
        let code = join::new_code().map_err(|error| error.to_string())?;
        self.invitation = Some(Invitation::new(code.clone(), now));
        // Nobody may be there to hear it; it is printed too.
        let _ = self.wires.speak.try_send(code.clone());
        Ok(Told::Code(code, join::VALID_FOR.as_secs()))
    }

    fn join(&mut self, code: &str) -> Result<Joining, String> {
        let code = join::digits(code).ok_or("a code has six digits; `hark house invite` on a speaker of the house tells one")?;
        if !self.courier.members().is_empty() {
            let n = self.courier.members().len();
            return Err(format!("this speaker is in a house with {n} others already; `hark house leave` first"));
        }
        Joining::new(&code).map_err(|error| error.to_string())
    }

    async fn leave(&mut self, now: Instant) -> Result<(), String> {
        self.courier.leave(now);
        self.flush().await;
        tokio::time::sleep(FAREWELL).await;
        let folder = &self.settings.folder;
        let anew = || -> anyhow::Result<(Identity, Members)> {
            for file in [identity::FILE.into(), members::FILE.into(), format!("{}.before", members::FILE)] {
                match std::fs::remove_file(folder.join(file)) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                    _ => (),
                }
            }
            let us = Identity::open(folder)?;
            let members = Members::open(folder, us.key())?;
            Ok((us, members))
        };
        let (us, members) = anew().map_err(|error| format!("{error:#}"))?;
        self.courier.begin_anew(us, members).map_err(|error| format!("{error:#}"))?;
        self.invitation = None;
        self.introduce();
        info!("this speaker has left the house, and has a new key");
        Ok(())
    }
}

async fn receive(socket: &Option<UdpSocket>, packet: &mut [u8]) -> Option<usize> {
    match socket {
        Some(socket) => socket.recv(packet).await.ok().or(Some(0)),
        None => std::future::pending().await,
    }
}
