//! Other devices that make way for a call, and become afterwards what they were: the television is mute while we talk.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Device, Message, Restore};
use crate::action::CallState;
use crate::time::Time;

/// A device that has told nothing new after this long has not heard us.
const HEARD_WITHIN: Duration = Duration::from_secs(5);

/// How often a device is told the same.
const TRIES: u8 = 4;

/// What we know of the devices.
#[derive(Debug, Default)]
pub struct Devices {
    /// What each told last, by its name.
    told: BTreeMap<String, String>,
    /// Those that make way now, by their place in the settings.
    held: BTreeMap<usize, Held>,
}

/// A device that makes way.
#[derive(Debug)]
struct Held {
    /// What it was before.
    before: Option<String>,
    /// What it became through us.
    became: Option<String>,
    /// Somebody has changed it since: it is no longer ours to change.
    changed: bool,
    /// When it is told again.
    again: Option<Time>,
    tries: u8,
}

impl Devices {
    /// The call has come into a state, or time has passed: what is to be published.
    pub fn settle(&mut self, now: Time, rules: &[Device], state: CallState) -> Vec<Message> {
        let mut messages = Vec::new();
        for (n, rule) in rules.iter().enumerate().filter(|(_, it)| it.when.contains(&state)) {
            match self.held.get_mut(&n) {
                Some(held) => messages.extend(held.again(now, rule)),
                None => messages.extend(self.hold(now, rules, n)),
            }
        }
        // What ends after what begins: a device for which there is still another reason is left as it is.
        for (n, rule) in rules.iter().enumerate().filter(|(_, it)| !it.when.contains(&state)) {
            let Some(held) = self.held.remove(&n) else { continue };
            if self.other_on(rules, n).is_none() && !held.changed {
                messages.extend(held.restored(rule));
            }
        }
        self.held.retain(|n, _| *n < rules.len());
        messages
    }

    /// A device tells what it is.
    pub fn told(&mut self, rules: &[Device], name: &str, state: &str) {
        let is_meant = |n: usize| rules.get(n).is_some_and(|it| it.name == name);
        self.held.iter_mut().filter(|(n, _)| is_meant(**n)).for_each(|(_, held)| held.told(state));
        if rules.iter().any(|it| it.name == name) {
            self.told.insert(name.into(), state.into());
        }
    }

    /// When to settle again though nothing happens.
    pub fn deadline(&self) -> Option<Time> {
        self.held.values().filter_map(|it| it.again).min()
    }

    fn hold(&mut self, now: Time, rules: &[Device], n: usize) -> Option<Message> {
        let rule = &rules[n];
        let (before, changed) = match self.other_on(rules, n) {
            Some(other) => (other.before.clone(), other.changed),
            None => (self.told.get(&rule.name).cloned(), false),
        };
        let again = (rule.state_topic.is_some() && !changed).then_some(now + HEARD_WITHIN);
        self.held.insert(n, Held { before, became: None, changed, again, tries: TRIES });
        (!changed).then(|| rule.set.clone())
    }

    /// Another rule for the same device that is in force.
    fn other_on(&self, rules: &[Device], n: usize) -> Option<&Held> {
        let same = |it: usize| it != n && rules.get(it).is_some_and(|it| it.set.topic == rules[n].set.topic);
        self.held.iter().find(|(it, _)| same(**it)).map(|(_, held)| held)
    }
}

impl Held {
    fn told(&mut self, state: &str) {
        match (&self.became, &self.before) {
            (Some(became), _) => self.changed |= became != state,
            // The broker tells once more what it knew, or the device has not heard us yet.
            (None, Some(before)) if before == state => (),
            (None, _) => {
                self.became = Some(state.into());
                self.again = None;
            }
        }
    }

    fn again(&mut self, now: Time, rule: &Device) -> Option<Message> {
        self.again.filter(|it| *it <= now)?;
        self.tries -= 1;
        self.again = (self.tries > 0).then_some(now + HEARD_WITHIN);
        (self.tries > 0).then(|| rule.set.clone())
    }

    fn restored(&self, rule: &Device) -> Option<Message> {
        match rule.restore.as_ref()? {
            Restore::Always(message) => Some(message.clone()),
            Restore::Before(topic) => Some(Message { topic: topic.clone(), payload: self.before.clone()? }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Time {
        Time::from_start(Duration::from_secs(s))
    }

    fn tv(when: &[CallState], payload: &str) -> Device {
        Device {
            name: "TV".into(),
            when: when.to_vec(),
            set: Message { topic: "tv/set".into(), payload: payload.into() },
            state_topic: Some("tv/state".into()),
            restore: Some(Restore::Before("tv/set".into())),
        }
    }

    fn payloads(messages: Vec<Message>) -> Vec<String> {
        messages.into_iter().map(|it| it.payload).collect()
    }

    #[test]
    fn a_device_makes_way_once_and_becomes_what_it_was() {
        let rules = [tv(&[CallState::Ringing, CallState::Connected], "mute")];
        let mut it = Devices::default();
        it.told(&rules, "TV", "loud");
        assert_eq!(payloads(it.settle(at(1), &rules, CallState::Ringing)), ["mute"]);
        it.told(&rules, "TV", "mute");
        assert_eq!(payloads(it.settle(at(2), &rules, CallState::Connected)), [""; 0]);
        assert_eq!(it.deadline(), None);
        assert_eq!(payloads(it.settle(at(9), &rules, CallState::Idle)), ["loud"]);
        assert_eq!(payloads(it.settle(at(10), &rules, CallState::Idle)), [""; 0]);
    }

    #[test]
    fn what_somebody_has_changed_meanwhile_is_left_alone() {
        let rules = [tv(&[CallState::Connected], "mute")];
        for then in ["loud", "very loud"] {
            let mut it = Devices::default();
            it.told(&rules, "TV", "loud");
            it.settle(at(1), &rules, CallState::Connected);
            it.told(&rules, "TV", "mute");
            it.told(&rules, "TV", then);
            assert_eq!(payloads(it.settle(at(60), &rules, CallState::Connected)), [""; 0]);
            assert_eq!(payloads(it.settle(at(61), &rules, CallState::Idle)), [""; 0]);
        }
    }

    #[test]
    fn a_device_that_did_not_hear_is_told_again_a_few_times() {
        let rules = [tv(&[CallState::Connected], "mute")];
        let mut it = Devices::default();
        it.told(&rules, "TV", "loud");
        let mut told = it.settle(at(0), &rules, CallState::Connected).len();
        // The broker was away and tells what it knows.
        it.told(&rules, "TV", "loud");
        while let Some(due) = it.deadline() {
            told += it.settle(due, &rules, CallState::Connected).len();
        }
        assert_eq!(told, usize::from(TRIES));
        assert_eq!(payloads(it.settle(at(90), &rules, CallState::Idle)), ["loud"]);
    }

    #[test]
    fn two_rules_for_one_device_restore_it_once_and_to_what_it_was_first() {
        let rules = [tv(&[CallState::Ringing], "low"), tv(&[CallState::Connected], "mute")];
        let mut it = Devices::default();
        it.told(&rules, "TV", "loud");
        assert_eq!(payloads(it.settle(at(0), &rules, CallState::Ringing)), ["low"]);
        it.told(&rules, "TV", "low");
        assert_eq!(payloads(it.settle(at(1), &rules, CallState::Connected)), ["mute"]);
        it.told(&rules, "TV", "mute");
        assert_eq!(payloads(it.settle(at(2), &rules, CallState::Idle)), ["loud"]);
    }

    #[test]
    fn a_device_that_tells_nothing_is_set_and_restored_as_the_rule_says() {
        let message = |payload: &str| Message { topic: "fan".into(), payload: payload.into() };
        let rules = [Device {
            name: "fan".into(),
            when: vec![CallState::Connected],
            set: message("off"),
            state_topic: None,
            restore: Some(Restore::Always(message("on"))),
        }];
        let mut it = Devices::default();
        assert_eq!(payloads(it.settle(at(0), &rules, CallState::Connected)), ["off"]);
        assert_eq!(it.deadline(), None);
        assert_eq!(payloads(it.settle(at(1), &rules, CallState::Idle)), ["on"]);
    }
}
