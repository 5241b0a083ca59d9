//! What the speaker says, as values; the words are in phrases/*.yaml under `key`.

use crate::call::EndReason;
use crate::phrases::Phrases;

/// One sentence to be spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// We call somebody.
    Calling(String),
    /// We call all of a group.
    CallingGroup(String),
    /// Nobody of a group has answered.
    NobodyOfGroup(String),
    /// What was said makes no sense to us; said once.
    NotUnderstood,
    /// The next address of the ladder, by its label.
    Trying(String),
    /// The next address of the ladder, which has no label.
    TryingNext,
    /// Somebody calls us.
    IsCalling(String),
    /// A call is over, or did not come about; with whom.
    Ended(EndReason, String),
    /// Somebody is still on hold.
    OnHold(String),
    /// Whom we talk to.
    TalkingTo(String),
    /// "Did you mean ... or ...?"
    DidYouMean(Vec<String>),
    /// The same of people whose names sound alike, with what tells them apart: who is meant is told by the order.
    FirstOrSecond(Vec<String>),
    /// "Should I call ...?"
    ShouldICall(String),
    /// A dialogue is stopped.
    Okay,
    /// There is no call to do that with.
    NoCall,
    /// Nothing rings.
    NothingRings,
    /// Nothing is on hold.
    NothingHeld,
    /// Nobody was called yet.
    NothingToRedial,
    /// Nobody has called yet.
    NobodyCalled,
    /// Nobody is calling now.
    NobodyIsCalling,
    /// There is nothing to stop.
    NothingToCancel,
    /// Nobody of that name is among the contacts.
    NoContact(String),
    /// The contact has no address of that label.
    NoLabel(String),
    /// No line can call that.
    NoLine(String),
    /// No emergency number is configured.
    NoEmergency,
    /// There is nobody else of that name.
    NoOther,
    /// We are talking to that person already.
    AlreadyTalking(String),
    /// Not a key of a telephone.
    NotAKey,
    /// Do not disturb is on.
    DoNotDisturbOn,
    /// Do not disturb is off.
    DoNotDisturbOff,
    /// The microphone is muted.
    Muted,
    /// The microphone is open again.
    Unmuted,
    /// The call was put on hold.
    Held,
    /// The other end put us on hold.
    HeldByThem(String),
    /// The other end took us back.
    ResumedByThem(String),
    /// There is no other speaker of the house to tell that.
    NoRooms,
    /// An announcement has not reached these rooms.
    NotReached(Vec<String>),
    /// No announcement was heard of late.
    NothingToReply,
    /// Calls that were missed: of whom, how often.
    MissedCalls(Vec<(String, u32)>),
    /// No call was missed.
    NobodyMissed,
    /// Nobody knows where that person is.
    NobodyKnowsWhere(String),
    /// That person is in this room.
    IsHere(String),
    /// The call is being moved to a room.
    Moving(String),
    /// The room that had the call is gone.
    RoomLost(String),
    /// A room cannot be reached.
    RoomDown(String),
    /// There is no such room.
    NoRoom(String),
    /// We drop in on a room.
    DroppingIn(String),
    /// We listen to a room.
    ListeningTo(String),
    /// A room has dropped in on us.
    DropsIn(String),
    /// A room listens to us.
    ListensIn(String),
    /// A room wanted to come in and may not.
    VisitNotAllowed(String),
    /// A room wanted to come in while we were busy.
    VisitWhileBusy(String),
    /// A room does not let us in.
    NotLetIn(String),
    /// The call is in that room already.
    AlreadyThere(String),
    /// The call could not be moved.
    StaysHere,
    /// The call is in this room again.
    BackHere,
    /// The call is in this room already.
    AlreadyHere,
    /// Another call is shared with somebody already.
    OthersShared,
    /// So many are in the call that nobody can be added.
    CallIsFull,
    /// The call goes with the person.
    Following,
    /// The call stays.
    NotFollowing,
    /// A text that somebody sent us to speak.
    Text(String),
}

/// The keys of phrases/*.yaml and the slots that each may use. `list_or`, `list_and` and `list_comma` join names; `name_detail` and `ending_in` tell people apart, `unknown_caller` names one who hides.
pub const KEYS: &[(&str, &[&str])] = &[
    ("calling", &["name"]),
    ("calling_group", &["name"]),
    ("nobody_of_group", &["name"]),
    ("not_understood", &[]),
    ("trying", &["label"]),
    ("trying_next", &[]),
    ("is_calling", &["name"]),
    ("we_hung_up", &["name"]),
    ("they_hung_up", &["name"]),
    ("cancelled", &["name"]),
    ("answered_elsewhere", &["name"]),
    ("busy", &["name"]),
    ("declined", &["name"]),
    ("no_answer", &["name"]),
    ("not_found", &["name"]),
    ("unreachable", &["name"]),
    ("no_common_media", &["name"]),
    ("not_allowed", &["name"]),
    ("line_down", &["name"]),
    ("media_lost", &["name"]),
    ("time_is_up", &["name"]),
    ("failed", &["name", "code"]),
    ("on_hold", &["name"]),
    ("talking_to", &["name"]),
    ("did_you_mean", &["names"]),
    ("first_or_second", &["names"]),
    ("first_second_or_third", &["names"]),
    ("name_detail", &["name", "detail"]),
    ("ending_in", &["digits"]),
    ("list_comma", &[]),
    ("list_or", &[]),
    ("should_i_call", &["name"]),
    ("okay", &[]),
    ("house_code", &["code"]),
    ("no_call", &[]),
    ("nothing_rings", &[]),
    ("nothing_held", &[]),
    ("nothing_to_redial", &[]),
    ("nobody_called", &[]),
    ("nobody_is_calling", &[]),
    ("nothing_to_cancel", &[]),
    ("no_contact", &["name"]),
    ("no_label", &["name"]),
    ("no_line", &["name"]),
    ("no_emergency", &[]),
    ("no_other", &[]),
    ("already_talking", &["name"]),
    ("not_a_key", &[]),
    ("do_not_disturb_on", &[]),
    ("do_not_disturb_off", &[]),
    ("muted", &[]),
    ("unmuted", &[]),
    ("held", &[]),
    ("held_by_them", &["name"]),
    ("resumed_by_them", &["name"]),
    ("no_rooms", &[]),
    ("not_reached", &["names"]),
    ("nothing_to_reply", &[]),
    ("missed_calls", &["names"]),
    ("missed_times", &["name", "n"]),
    ("list_and", &[]),
    ("nobody_missed", &[]),
    ("nobody_knows_where", &["name"]),
    ("is_here", &["name"]),
    ("moving", &["name"]),
    ("room_lost", &["name"]),
    ("room_down", &["name"]),
    ("no_room", &["name"]),
    ("dropping_in", &["name"]),
    ("listening_to", &["name"]),
    ("drops_in", &["name"]),
    ("listens_in", &["name"]),
    ("visit_not_allowed", &["name"]),
    ("visit_while_busy", &["name"]),
    ("not_let_in", &["name"]),
    ("already_there", &["name"]),
    ("stays_here", &[]),
    ("back_here", &[]),
    ("already_here", &[]),
    ("others_shared", &[]),
    ("call_is_full", &[]),
    ("following", &[]),
    ("not_following", &[]),
    ("unknown_caller", &[]),
];

impl Prompt {
    /// Its name in phrases/*.yaml; empty for a text of somebody else's.
    pub fn key(&self) -> &'static str {
        match self {
            Prompt::Calling(_) => "calling",
            Prompt::CallingGroup(_) => "calling_group",
            Prompt::NobodyOfGroup(_) => "nobody_of_group",
            Prompt::NotUnderstood => "not_understood",
            Prompt::Trying(_) => "trying",
            Prompt::TryingNext => "trying_next",
            Prompt::IsCalling(_) => "is_calling",
            Prompt::Ended(reason, _) => reason.key(),
            Prompt::OnHold(_) => "on_hold",
            Prompt::TalkingTo(_) => "talking_to",
            Prompt::DidYouMean(_) => "did_you_mean",
            Prompt::FirstOrSecond(names) if names.len() > 2 => "first_second_or_third",
            Prompt::FirstOrSecond(_) => "first_or_second",
            Prompt::ShouldICall(_) => "should_i_call",
            Prompt::Okay => "okay",
            Prompt::NoCall => "no_call",
            Prompt::NothingRings => "nothing_rings",
            Prompt::NothingHeld => "nothing_held",
            Prompt::NothingToRedial => "nothing_to_redial",
            Prompt::NobodyCalled => "nobody_called",
            Prompt::NobodyIsCalling => "nobody_is_calling",
            Prompt::NothingToCancel => "nothing_to_cancel",
            Prompt::NoContact(_) => "no_contact",
            Prompt::NoLabel(_) => "no_label",
            Prompt::NoLine(_) => "no_line",
            Prompt::NoEmergency => "no_emergency",
            Prompt::NoOther => "no_other",
            Prompt::AlreadyTalking(_) => "already_talking",
            Prompt::NotAKey => "not_a_key",
            Prompt::DoNotDisturbOn => "do_not_disturb_on",
            Prompt::DoNotDisturbOff => "do_not_disturb_off",
            Prompt::Muted => "muted",
            Prompt::Unmuted => "unmuted",
            Prompt::Held => "held",
            Prompt::HeldByThem(_) => "held_by_them",
            Prompt::ResumedByThem(_) => "resumed_by_them",
            Prompt::NoRooms => "no_rooms",
            Prompt::NotReached(_) => "not_reached",
            Prompt::NothingToReply => "nothing_to_reply",
            Prompt::MissedCalls(_) => "missed_calls",
            Prompt::NobodyMissed => "nobody_missed",
            Prompt::NobodyKnowsWhere(_) => "nobody_knows_where",
            Prompt::IsHere(_) => "is_here",
            Prompt::Moving(_) => "moving",
            Prompt::RoomLost(_) => "room_lost",
            Prompt::RoomDown(_) => "room_down",
            Prompt::NoRoom(_) => "no_room",
            Prompt::DroppingIn(_) => "dropping_in",
            Prompt::ListeningTo(_) => "listening_to",
            Prompt::DropsIn(_) => "drops_in",
            Prompt::ListensIn(_) => "listens_in",
            Prompt::VisitNotAllowed(_) => "visit_not_allowed",
            Prompt::VisitWhileBusy(_) => "visit_while_busy",
            Prompt::NotLetIn(_) => "not_let_in",
            Prompt::AlreadyThere(_) => "already_there",
            Prompt::StaysHere => "stays_here",
            Prompt::BackHere => "back_here",
            Prompt::AlreadyHere => "already_here",
            Prompt::OthersShared => "others_shared",
            Prompt::CallIsFull => "call_is_full",
            Prompt::Following => "following",
            Prompt::NotFollowing => "not_following",
            Prompt::Text(_) => "",
        }
    }

    /// The sentence in a language; empty where the language has none.
    pub fn render(&self, phrases: &Phrases) -> String {
        let text = phrases.prompts.get(self.key()).cloned().unwrap_or_default();
        match self {
            Prompt::Text(text) => text.clone(),
            Prompt::Ended(EndReason::Failed(code), name) => {
                text.replace("{code}", &spoken(&code.to_string())).replace("{name}", &spoken(name))
            }
            Prompt::Calling(name)
            | Prompt::CallingGroup(name)
            | Prompt::NobodyOfGroup(name)
            | Prompt::IsCalling(name)
            | Prompt::Ended(_, name)
            | Prompt::OnHold(name)
            | Prompt::TalkingTo(name)
            | Prompt::ShouldICall(name)
            | Prompt::NoContact(name)
            | Prompt::NoLabel(name)
            | Prompt::NoLine(name)
            | Prompt::AlreadyTalking(name)
            | Prompt::NobodyKnowsWhere(name)
            | Prompt::IsHere(name)
            | Prompt::HeldByThem(name)
            | Prompt::ResumedByThem(name)
            | Prompt::Moving(name)
            | Prompt::RoomLost(name)
            | Prompt::RoomDown(name)
            | Prompt::NoRoom(name)
            | Prompt::DroppingIn(name)
            | Prompt::ListeningTo(name)
            | Prompt::DropsIn(name)
            | Prompt::ListensIn(name)
            | Prompt::VisitNotAllowed(name)
            | Prompt::VisitWhileBusy(name)
            | Prompt::NotLetIn(name)
            | Prompt::AlreadyThere(name) => text.replace("{name}", &spoken(name)),
            Prompt::Trying(label) => text.replace("{label}", label),
            Prompt::DidYouMean(names) | Prompt::FirstOrSecond(names) => {
                text.replace("{names}", &listed(names, "list_or", phrases))
            }
            Prompt::NotReached(names) => text.replace("{names}", &listed(names, "list_and", phrases)),
            Prompt::MissedCalls(callers) => {
                let times = phrases.prompts.get("missed_times").map_or("", String::as_str);
                let caller = |(name, n): &(String, u32)| match n {
                    1 => spoken(name),
                    n => times.replace("{n}", &n.to_string()).replace("{name}", &spoken(name)),
                };
                text.replace("{names}", &listed(&callers.iter().map(caller).collect::<Vec<_>>(), "list_and", phrases))
            }
            _ => text,
        }
    }
}

/// A name and what tells it from others that sound like it.
pub fn with_detail(name: &str, detail: &str, phrases: &Phrases) -> String {
    let text = phrases.prompts.get("name_detail").cloned().unwrap_or_default();
    text.replace("{detail}", detail).replace("{name}", name)
}

/// The end of a number, for telling people apart.
pub fn ending_in(digits: &str, phrases: &Phrases) -> String {
    phrases.prompts.get("ending_in").map_or("{digits}", String::as_str).replace("{digits}", &spoken(digits))
}

/// "Mom, Dad and the kitchen".
pub fn together(names: &[String], phrases: &Phrases) -> String {
    listed(names, "list_and", phrases)
}

/// "Anna Smith, Anna Jones or Hanna".
fn listed(names: &[String], last: &str, phrases: &Phrases) -> String {
    let join = |key: &str| phrases.prompts.get(key).map_or(" ", String::as_str);
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., one] => format!("{}{}{one}", most.join(join("list_comma")), join(last)),
    }
}

/// A name as it is, a number digit by digit, so that nobody has to hear of four hundred and ninety-three billions.
fn spoken(name: &str) -> String {
    if !name.chars().all(|c| c.is_ascii_digit() || "+*#".contains(c)) {
        return name.into();
    }
    name.chars().map(String::from).collect::<Vec<_>>().join(" ")
}

/// What is wrong with a text that may use these slots.
pub(crate) fn problem(text: &str, slots: &[&str]) -> Option<String> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((slot, then)) = after.split_once('}') else { return Some("`{` is not closed".into()) };
        if !slots.contains(&slot) {
            return Some(format!("`{{{slot}}}` cannot stand here"));
        }
        rest = then;
    }
    None
}
