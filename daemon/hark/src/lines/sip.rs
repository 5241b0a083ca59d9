//! SIP: one task for all accounts and the line `direct`. It knows which call a message belongs to; each call is a task of its own.
//!
//! `agent` is the stack and our messages, `reach` the way to an address, `client` and `server` one transaction each,
//! `dialog` what the requests of a call share, `call` the life of a call, `media` its packets.

mod address;
mod agent;
mod call;
mod client;
mod dialog;
mod digest;
mod dtmf;
mod media;
mod reach;
mod reason;
mod registration;
mod rtcp;
pub(crate) mod rtp;
mod screen;
mod sdp;
mod server;
mod socket;
mod srtp;
mod timer;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use control::action::LineAction;
use control::call::{CallId, EndReason};
use control::contacts::Contacts;
use control::dialplan::LineName;
use control::input::LineEvent;
use rsipstack::sip::prelude::{HeadersExt, ToTypedHeader};
use rsipstack::sip::{Method, Request, StatusCode, Transport as SipTransport};
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::transaction::Transaction;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tracing::{debug, error, info};

use self::agent::{Agent, Sockets};
use self::call::{Call, ToCall};
use self::dialog::Key;
use self::reach::Target;
use self::registration::{Account, Registration};
use self::server::Invite;
use super::{FromLine, new_incoming};
use crate::config::{SipSettings, Transport};

pub use self::rtcp::MediaStats;

/// The line for calls without an account.
const DIRECT: &str = "direct";

/// A conference of ten and somebody who knocks; more calls at once are an attack, or a mistake.
const MOST_CALLS: usize = 12;

/// How long calls and registrations may take to end when the app ends.
const FAREWELL: Duration = Duration::from_secs(3);

/// The addresses, as `sip:user@host` in lower case, whose calls ring though strangers' do not.
pub type Known = BTreeSet<String>;

/// The addresses of these people. Ports do not matter: phones seldom write theirs into `From`.
pub fn known(contacts: &Contacts) -> Arc<Known> {
    let addresses = contacts.people.iter().flat_map(|it| &it.addresses);
    Arc::new(addresses.filter_map(|it| Some(known_as(it.to.user()?, it.to.host()?))).collect())
}

fn known_as(user: &str, host: &str) -> String {
    format!("sip:{user}@{host}").to_lowercase()
}

/// The lines over SIP.
pub struct SipLine {
    settings: SipSettings,
    sockets: Option<Sockets>,
    actions: mpsc::Receiver<LineAction>,
    events: mpsc::Sender<FromLine>,
    known: watch::Receiver<Arc<Known>>,
}

impl SipLine {
    /// Opens the sockets; nothing is sent before `run`.
    ///
    /// # Errors
    /// When the address of `sip.listen` cannot be listened at.
    pub fn new(settings: SipSettings, actions: mpsc::Receiver<LineAction>, events: mpsc::Sender<FromLine>) -> Result<SipLine> {
        let sockets = settings.listen.map(Sockets::bind).transpose()?;
        let (_, known) = watch::channel(Arc::default());
        Ok(SipLine { settings, sockets, actions, events, known })
    }

    /// Lets calls from these addresses ring even where strangers' do not.
    pub fn with_known(self, known: watch::Receiver<Arc<Known>>) -> SipLine {
        SipLine { known, ..self }
    }

    /// Where it listens; nowhere if SIP is off.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.sockets.as_ref().map(Sockets::addr)
    }

    /// Serves calls until the app goes away, then unregisters.
    pub async fn run(self) {
        let SipLine { settings, sockets, mut actions, events, known } = self;
        let started = match sockets {
            Some(sockets) => Agent::start(settings, sockets).await,
            None => Err(anyhow::anyhow!("SIP is off: set `sip.listen` in hark.yaml")),
        };
        match started {
            Ok((agent, incoming)) => Desk::new(Arc::new(agent), events, known).run(actions, incoming).await,
            Err(error) => {
                info!("no SIP: {error:#}");
                while let Some(action) = actions.recv().await {
                    if let LineAction::Dial { call, .. } = action {
                        events.send(FromLine::Event(LineEvent::Ended(call, EndReason::LineDown))).await.ok();
                    }
                }
            }
        }
    }
}

/// Who has which call.
struct Desk {
    agent: Arc<Agent>,
    events: mpsc::Sender<FromLine>,
    known: watch::Receiver<Arc<Known>>,
    accounts: BTreeMap<LineName, Arc<Account>>,
    calls: BTreeMap<CallId, mpsc::Sender<ToCall>>,
    dialogs: BTreeMap<Key, CallId>,
    tasks: JoinSet<()>,
    names: HashMap<tokio::task::Id, (CallId, Key)>,
}

impl Desk {
    fn new(agent: Arc<Agent>, events: mpsc::Sender<FromLine>, known: watch::Receiver<Arc<Known>>) -> Desk {
        let accounts = agent.settings.accounts.iter().map(|it| (it.name.clone(), Arc::new(Account::new(it.clone())))).collect();
        Desk {
            agent,
            events,
            known,
            accounts,
            calls: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            tasks: JoinSet::new(),
            names: HashMap::new(),
        }
    }

    async fn run(mut self, mut actions: mpsc::Receiver<LineAction>, mut incoming: TransactionReceiver) {
        let (stop, stopped) = watch::channel(false);
        let mut registrations = JoinSet::new();
        for account in self.accounts.values() {
            let it = Registration::new(self.agent.clone(), account.clone(), self.events.clone(), stopped.clone());
            registrations.spawn(it.run());
        }
        info!(listen = %self.agent.listen(), accounts = self.accounts.len(), "SIP is up");
        self.tell(LineEvent::Up(DIRECT.into())).await;
        loop {
            tokio::select! {
                action = actions.recv() => match action {
                    Some(action) => self.act(action).await,
                    None => break,
                },
                Some(transaction) = incoming.recv() => self.request(transaction).await,
                Some(ended) = self.tasks.join_next_with_id() => self.forget(ended).await,
            }
        }
        // Without their senders the calls hang up.
        self.calls.clear();
        stop.send_replace(true);
        let all = async {
            while self.tasks.join_next().await.is_some() {}
            while registrations.join_next().await.is_some() {}
        };
        timeout(FAREWELL, all).await.ok();
        self.agent.stop();
        info!("SIP is down");
    }

    async fn tell(&self, event: LineEvent) {
        self.events.send(FromLine::Event(event)).await.ok();
    }

    async fn act(&mut self, action: LineAction) {
        if let LineAction::Dial { call, line, to, how: _ } = &action {
            let account = self.accounts.get(line).cloned();
            if account.is_none() && line != DIRECT {
                return self.tell(LineEvent::Ended(*call, EndReason::LineDown)).await;
            }
            let (id, to) = (*call, to.clone());
            let key = (agent::call_id(), agent::tag());
            let call = self.open(id, key, account);
            return self.start(call, |call| call.dial(to));
        }
        // A call that has ended is not to be told any more.
        if let Some(sender) = self.calls.get(&action.call()) {
            sender.send(ToCall::Action(action)).await.ok();
        }
    }

    /// Makes a call's place; its task is started by `start`.
    fn open(&mut self, id: CallId, key: Key, account: Option<Arc<Account>>) -> Call {
        // A call that is slow to take what it is told makes the line wait; it never waits for the line.
        let (sender, inbox) = mpsc::channel(32);
        self.calls.insert(id, sender);
        self.dialogs.insert(key.clone(), id);
        Call { id, agent: self.agent.clone(), account, key, inbox, events: self.events.clone() }
    }

    fn start<F: Future<Output = ()> + Send + 'static>(&mut self, call: Call, live: impl FnOnce(Call) -> F) {
        let name = (call.id, call.key.clone());
        let task = self.tasks.spawn(live(call)).id();
        self.names.insert(task, name);
    }

    async fn forget(&mut self, ended: Result<(tokio::task::Id, ()), JoinError>) {
        let task = ended.as_ref().map_or_else(JoinError::id, |(task, ())| *task);
        let Some((id, key)) = self.names.remove(&task) else { return };
        self.calls.remove(&id);
        self.dialogs.remove(&key);
        if let Err(error) = ended {
            error!(call = %id, %error, "a call ended by a defect of ours");
            self.tell(LineEvent::Ended(id, EndReason::Failed(500))).await;
        }
    }

    /// A request that begins a transaction.
    async fn request(&mut self, transaction: Transaction) {
        if !screen::is_whole(&transaction.original) {
            return call::refuse(transaction, StatusCode::BadRequest);
        }
        let key = dialog::key_of(&transaction.original);
        if let Some(key) = key {
            let sender = self.dialogs.get(&key).and_then(|it| self.calls.get(it));
            match sender {
                Some(sender) => {
                    sender.send(ToCall::Request(Box::new(transaction))).await.ok();
                }
                None => call::refuse(transaction, StatusCode::CallTransactionDoesNotExist),
            }
            return;
        }
        match transaction.original.method {
            Method::Invite => self.invited(transaction),
            Method::Options => {
                let accept = vec![agent::header("Accept", "application/sdp".into())];
                self.reply(transaction, 200, accept);
            }
            Method::Bye | Method::Update | Method::Info => call::refuse(transaction, StatusCode::CallTransactionDoesNotExist),
            Method::Notify => call::refuse(transaction, StatusCode::BadEvent),
            _ => self.reply(transaction, 405, vec![]),
        }
    }

    fn reply(&self, mut transaction: Transaction, code: u16, extra: Vec<rsipstack::sip::Header>) {
        let response = self.agent.response(&transaction.original, code, extra, None);
        tokio::spawn(async move { transaction.respond(response).await.ok() });
    }

    /// A new call for us.
    fn invited(&mut self, transaction: Transaction) {
        let Some(source) = self.source(&transaction) else {
            return call::refuse(transaction, StatusCode::ServerInternalError);
        };
        let account = self.account_of(&transaction.original, &source);
        let required = transaction.original.headers.iter().filter(|it| it.name() == "Require");
        let unknown: Vec<&str> =
            required.flat_map(|it| it.value().split(',')).map(str::trim).filter(|it| *it != agent::SUPPORTED).collect();
        if !unknown.is_empty() {
            let unsupported = vec![agent::header("Unsupported", unknown.join(", "))];
            return self.reply(transaction, 420, unsupported);
        }
        if account.is_none() && !self.agent.settings.accept_direct && !self.is_known(&transaction.original) {
            debug!(from = %source.addr, "a stranger was turned away");
            return call::refuse(transaction, StatusCode::Forbidden);
        }
        if self.calls.len() >= MOST_CALLS {
            return call::refuse(transaction, StatusCode::BusyHere);
        }
        let invite = Invite::accept(transaction);
        let Some(key) = dialog::key_of(&invite.request) else { return };
        let contact = account.as_ref().and_then(|it| it.registered()).map(|it| it.contact);
        let contact = contact.unwrap_or_else(|| self.agent.contact("hark", &source));
        let call = self.open(new_incoming(), key, account);
        self.start(call, |call| call.ring(invite, source, contact));
    }

    /// Where a request came from, as a way back.
    fn source(&self, transaction: &Transaction) -> Option<Target> {
        let connection = transaction.connection.as_ref()?;
        let addr = connection.get_remote_addr()?.get_socketaddr().ok()?;
        let (transport, keep) = match connection.transport() {
            SipTransport::Udp => (Transport::Udp, None),
            SipTransport::Tls => (Transport::Tls, Some(connection.clone())),
            _ => (Transport::Tcp, Some(connection.clone())),
        };
        self.agent.target(addr, transport, keep).ok()
    }

    /// The account that a call comes over: by the registrar's address, and our user name where several share it.
    fn account_of(&self, request: &Request, source: &Target) -> Option<Arc<Account>> {
        let of_registrar = |it: &&Arc<Account>| it.registered().is_some_and(|it| it.target.addr.ip() == source.addr.ip());
        let user = request.uri.user().unwrap_or("");
        let all: Vec<&Arc<Account>> = self.accounts.values().filter(of_registrar).collect();
        all.iter().find(|it| it.settings.user == user).or(all.first().filter(|_| all.len() == 1)).map(|it| Arc::clone(it))
    }

    fn is_known(&self, request: &Request) -> bool {
        let from = request.from_header().ok().and_then(|it| it.typed().ok());
        let address = from.map(|it| known_as(it.uri.user().unwrap_or(""), &it.uri.host().to_string()));
        address.is_some_and(|it| self.known.borrow().contains(&it))
    }
}
