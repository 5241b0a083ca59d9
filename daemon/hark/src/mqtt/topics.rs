//! The names of our topics (docs/mqtt.md).

/// The topics of one speaker.
#[derive(Clone, Debug)]
pub struct Topics {
    /// `<base>/<room>`
    speaker: String,
}

impl Topics {
    /// The topics of the speaker in `room`, a slug, below `base`.
    pub fn new(base: &str, room: &str) -> Topics {
        Topics { speaker: format!("{base}/{room}") }
    }

    /// `online` or `offline`; retained, and the last will.
    pub fn status(&self) -> String {
        format!("{}/status", self.speaker)
    }

    /// What this speaker is; retained.
    pub fn about(&self) -> String {
        format!("{}/about", self.speaker)
    }

    /// The call; retained.
    pub fn call(&self) -> String {
        format!("{}/call", self.speaker)
    }

    /// What happens once; never retained.
    pub fn event(&self) -> String {
        format!("{}/event", self.speaker)
    }

    /// Volumes and the like; retained.
    pub fn settings(&self) -> String {
        format!("{}/settings", self.speaker)
    }

    /// Missed calls and the like; retained.
    pub fn waiting(&self) -> String {
        format!("{}/waiting", self.speaker)
    }

    /// Letters of other speakers; never retained.
    pub fn inbox(&self) -> String {
        format!("{}/inbox", self.speaker)
    }

    /// Figures, now and then.
    pub fn metrics(&self) -> String {
        format!("{}/metrics", self.speaker)
    }

    /// The answer to a request that carried an id. Ids are checked where they are read: none holds `/`, `+` or `#`.
    pub fn done(&self, id: &str) -> String {
        format!("{}/done/{id}", self.speaker)
    }

    /// Where `verb` is asked for.
    pub fn verb(&self, verb: &str) -> String {
        format!("{}/do/{verb}", self.speaker)
    }

    /// The filter for all verbs.
    pub fn all_verbs(&self) -> String {
        self.verb("+")
    }

    /// The verb that is asked for in `topic`, if that is what the topic is for.
    pub fn verb_of<'a>(&self, topic: &'a str) -> Option<&'a str> {
        topic.strip_prefix(&self.speaker)?.strip_prefix("/do/").filter(|verb| !verb.contains('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_topics_below_do_have_a_verb() {
        let topics = Topics::new("hark", "living-room");
        for (topic, verb) in [
            ("hark/living-room/do/dial", Some("dial")),
            ("hark/living-room/do/", Some("")),
            ("hark/living-room/do/dial/now", None),
            ("hark/living-room/do", None),
            ("hark/living-room-2/do/dial", None),
            ("hark/kitchen/do/dial", None),
            ("hark/living-room/call", None),
            ("", None),
        ] {
            assert_eq!(topics.verb_of(topic), verb, "{topic}");
        }
        assert_eq!(topics.all_verbs(), "hark/living-room/do/+");
        assert_eq!(topics.done("7"), "hark/living-room/done/7");
    }
}
