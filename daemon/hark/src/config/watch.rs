//! Reads the configuration anew when a file of it changes, or on SIGHUP. What cannot be read changes nothing.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use control::house::Device;
use control::input::Input;
use speech::Model;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::names;

use super::load::{Loaded, Sources, load};
use super::problems::Problems;

/// How often the files are looked at. A file is read when two looks find it the same: editors write in several steps.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What reading anew came to.
#[derive(Clone, Debug)]
pub enum Reload {
    /// The new configuration. What needs a restart (`Watch` has said so in the log) is as before in it.
    Fresh(Box<Loaded>),
    /// It is wrong; the old one stays in force.
    Refused(Problems),
}

impl Reload {
    /// What the decisions are told. Calls that are up stay up.
    pub fn inputs(&self) -> Vec<Input> {
        match self {
            Reload::Fresh(loaded) => {
                vec![Input::Settings(Box::new(loaded.settings.control.clone())), Input::Contacts(loaded.contacts.clone())]
            }
            Reload::Refused(_) => Vec::new(),
        }
    }
}

/// The task that watches.
pub struct Watch {
    sources: Sources,
    current: Loaded,
    looks: Looks,
    reloads: mpsc::Sender<Reload>,
    /// Learns new names.
    model: Option<Model>,
}

impl Watch {
    /// Watches the files of `current`. A full channel makes the watch wait.
    pub fn new(sources: Sources, current: Loaded, reloads: mpsc::Sender<Reload>) -> Watch {
        let looks = Looks::at(&current.files);
        Watch { sources, current, looks, reloads, model: None }
    }

    /// Lets this model learn the names of new contacts before they are told.
    pub fn with_model(self, model: Model) -> Watch {
        Watch { model: Some(model), ..self }
    }

    /// Runs until nobody listens any more.
    pub async fn run(mut self) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut hangup = signal(SignalKind::hangup()).inspect_err(|err| warn!(%err, "SIGHUP cannot be received")).ok();
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    if !self.looks.again(&self.current.files) {
                        continue;
                    }
                }
                // Without the signal this branch waits for ever, and the files are still looked at.
                _ = async { match &mut hangup { Some(hangup) => hangup.recv().await, None => std::future::pending().await } } => (),
                () = self.reloads.closed() => return,
            }
            let reload = self.reload();
            let reload = self.learned(reload).await;
            if self.reloads.send(reload).await.is_err() {
                return;
            }
        }
    }

    /// Names are learned here, where nobody waits: some hundred new ones take a second on a small machine.
    async fn learned(&self, reload: Reload) -> Reload {
        let (mut loaded, model) = match (reload, self.model.clone()) {
            (Reload::Fresh(loaded), Some(model)) => (loaded, model),
            (reload, _) => return reload,
        };
        let learn = move || {
            let learned = names::learn(&loaded.contacts, &loaded.phrases, &model);
            learned.tell();
            (loaded.contacts, loaded.heard_as) = (learned.contacts, learned.heard_as);
            Reload::Fresh(loaded)
        };
        tokio::task::spawn_blocking(learn).await.expect("learning names does not panic")
    }

    fn reload(&mut self) -> Reload {
        match load(&self.sources) {
            Ok(mut loaded) => {
                let restart = needing_restart(&self.current, &loaded);
                if !restart.is_empty() {
                    warn!(settings = restart.join(", "), "changed; these take effect after a restart of hark");
                    keep(&self.current, &mut loaded);
                }
                for warning in &loaded.warnings {
                    warn!("{warning}");
                }
                info!(contacts = loaded.contacts.people.len(), "configuration read anew");
                self.looks = Looks::at(&loaded.files);
                self.current = loaded.clone();
                Reload::Fresh(Box::new(loaded))
            }
            Err(problems) => {
                error!(problems = problems.0.len(), "the changed configuration is wrong, the old one stays in force");
                for problem in &problems.0 {
                    error!("{problem}");
                }
                Reload::Refused(problems)
            }
        }
    }
}

/// What is opened once, at start.
fn needing_restart(old: &Loaded, new: &Loaded) -> Vec<&'static str> {
    let (a, b) = (&old.settings, &new.settings);
    let changed = [
        ("language", a.control.language != b.control.language),
        ("also_understands", a.also_understands != b.also_understands),
        ("wake", a.control.wake_phrases != b.control.wake_phrases),
        ("phrases", old.phrases != new.phrases || old.also != new.also),
        ("audio", a.audio != b.audio),
        ("speech", a.speech != b.speech),
        ("sip", a.sip != b.sip || a.control.lines != b.control.lines),
        ("mqtt", a.mqtt != b.mqtt || a.room_slug != b.room_slug),
        ("house", a.house != b.house || placed(&a.control) != placed(&b.control)),
        ("state_dir", a.state_dir != b.state_dir),
        ("socket", a.socket != b.socket),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
}

/// What other speakers were told of this one, and the devices, whose topics are subscribed at start.
fn placed(it: &control::speaker::Settings) -> (&Option<String>, &[String], &[Device]) {
    (&it.house.floor, &it.house.groups, &it.house.devices)
}

fn keep(old: &Loaded, new: &mut Loaded) {
    let (a, b) = (&old.settings, &mut new.settings);
    b.control.language.clone_from(&a.control.language);
    b.also_understands.clone_from(&a.also_understands);
    b.control.wake_phrases.clone_from(&a.control.wake_phrases);
    b.control.lines.clone_from(&a.control.lines);
    b.audio.clone_from(&a.audio);
    b.speech.clone_from(&a.speech);
    b.sip.clone_from(&a.sip);
    b.mqtt.clone_from(&a.mqtt);
    b.room_slug.clone_from(&a.room_slug);
    b.house.clone_from(&a.house);
    b.control.house.slug.clone_from(&a.control.house.slug);
    b.control.house.floor.clone_from(&a.control.house.floor);
    b.control.house.groups.clone_from(&a.control.house.groups);
    b.control.house.phones.clone_from(&a.control.house.phones);
    b.control.house.devices.clone_from(&a.control.house.devices);
    b.state_dir.clone_from(&a.state_dir);
    b.socket.clone_from(&a.socket);
    new.phrases.clone_from(&old.phrases);
    new.also.clone_from(&old.also);
}

/// How the files looked.
struct Looks {
    files: Vec<Look>,
    unsettled: bool,
}

/// When changed, how long, which inode; `None` where there is no file.
type Look = Option<(i64, i64, u64, u64)>;

impl Looks {
    fn at(files: &[PathBuf]) -> Looks {
        Looks { files: look(files), unsettled: false }
    }

    /// Whether there is a change that has come to rest.
    fn again(&mut self, files: &[PathBuf]) -> bool {
        self.compare(look(files))
    }

    fn compare(&mut self, now: Vec<Look>) -> bool {
        let moving = now != self.files;
        let settled = self.unsettled && !moving;
        self.unsettled = moving;
        self.files = now;
        settled
    }
}

fn look(files: &[PathBuf]) -> Vec<Look> {
    let one = |path: &PathBuf| std::fs::metadata(path).ok().map(|it| (it.mtime(), it.mtime_nsec(), it.len(), it.ino()));
    files.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_once_it_no_longer_changes() {
        let mut looks = Looks { files: vec![None], unsettled: false };
        let [empty, half, whole] = [0, 100, 200].map(|len| vec![Some((1, len, len as u64, 7))]);
        let seen = [vec![None], empty, half, whole.clone(), whole.clone(), whole, vec![None], vec![None]];
        assert_eq!(seen.map(|it| looks.compare(it)), [false, false, false, false, true, false, false, true]);
    }

    #[test]
    fn wrong_contacts_change_nothing_and_right_ones_are_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("hark.yaml", "room: hall\ncontacts: contacts.yaml\n");
        write("contacts.yaml", "contacts:\n  - name: Mom\n    addresses: sip:mom@192.168.1.20\n");
        let config = Some(folder.path().join("hark.yaml"));
        let sources = Sources { system: folder.path().join("none"), config, contacts: None, variables: vec![] };
        let (reloads, _receiver) = mpsc::channel(1);
        let mut watch = Watch::new(sources.clone(), load(&sources).unwrap(), reloads);

        write("contacts.yaml", "contacts:\n  - nmae: Mom\n");
        let Reload::Refused(problems) = watch.reload() else { panic!("taken over") };
        assert_eq!(problems.0.len(), 3, "{problems}");
        assert_eq!(watch.current.contacts.people[0].name, "Mom");

        write("contacts.yaml", "contacts:\n  - name: Dad\n    addresses: sip:dad@192.168.1.21\n");
        write("hark.yaml", "room: hall\ncontacts: contacts.yaml\nring_for: 20s\nsip: {listen: off}\n");
        let reload = watch.reload();
        let [Input::Settings(settings), Input::Contacts(contacts)] = &reload.inputs()[..] else { panic!() };
        assert_eq!(contacts.people[0].name, "Dad");
        assert_eq!(settings.ring_for, Duration::from_secs(20));
        // SIP is opened at start: the line stays until then.
        assert!(settings.lines.iter().any(|line| line.name == "direct"));
    }
}
