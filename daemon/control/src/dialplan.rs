//! Who to where: addresses, numbers, and which line a call goes out on. Emergency numbers first.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::time::Duration;

use crate::contacts::Contact;
use crate::speaker::{LineSettings, Settings};

/// A line's name as in hark.yaml, such as `fritzbox`; `direct` is SIP without an account, `builtin` the echo test.
pub type LineName = String;

/// The line of calls to people at their own domain, without an account.
pub const DIRECT: &str = "direct";

/// The line of the echo test.
pub const BUILTIN: &str = "builtin";

/// The line to other speakers of the house.
pub const ROOMS: &str = "rooms";

/// An address: `sip:user@host`, `sips:user@host`, `tel:number` `hark:echo`, `hark:room/name` or `hark:person/name`. Valid by construction. Lines are asked to dial any but
/// `tel:`, which the dial plan makes into `sip:number@domain` of the line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uri(String);

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UriError {
    /// Nothing there.
    Empty,
    /// Not one of the schemes we know.
    Scheme(String),
    /// `sip:` without a host.
    NoHost,
    /// A character that cannot stand there.
    Character(char),
    /// `hark:` and something other than `echo`, `room/name` or `person/name`.
    NotBuiltIn(String),
    /// `tel:` without digits.
    NoDigits,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UriError::Empty => f.write_str("the address is empty; write `sip:user@host` or a number"),
            UriError::Scheme(scheme) => write!(f, "addresses begin with `sip:`, `sips:`, `tel:` or `hark:`, not `{scheme}:`"),
            UriError::NoHost => f.write_str("a SIP address needs a host; write `sip:user@host`"),
            UriError::Character(c) => write!(f, "{c:?} cannot stand in an address"),
            UriError::NotBuiltIn(what) => {
                write!(
                    f,
                    "there is no `hark:{what}`; write `hark:echo`, `hark:room/kitchen` for another speaker, or `hark:person/mom` for wherever she is"
                )
            }
            UriError::NoDigits => f.write_str("a number needs digits"),
        }
    }
}

impl std::error::Error for UriError {}

impl Uri {
    /// Reads an address as people write it: with a scheme, `user@host`, or a number with spaces, dashes and brackets.
    pub fn parse(text: &str) -> Result<Uri, UriError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(UriError::Empty);
        }
        if let Some(number) = number(text) {
            return Ok(Uri(format!("tel:{number}")));
        }
        let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| !scheme.contains(['@', '.', '['])) else {
            return match text.contains('@') {
                true => Uri::sip("sip", text),
                false => Err(text
                    .chars()
                    .find(|c| !"+*# -()/.".contains(*c) && !c.is_ascii_digit())
                    .map_or(UriError::NoDigits, |_| UriError::NoHost)),
            };
        };
        match scheme.to_ascii_lowercase().as_str() {
            scheme @ ("sip" | "sips") => Uri::sip(scheme, rest),
            "tel" => number(rest).map(|it| Uri(format!("tel:{it}"))).ok_or(UriError::NoDigits),
            "hark" if rest == "echo" => Ok(Uri("hark:echo".into())),
            "hark" if rest.strip_prefix("person/").is_some_and(is_person) => Ok(Uri(format!("hark:{rest}"))),
            "hark" => match rest.strip_prefix("room/").filter(|it| is_room_name(it)) {
                Some(room) => Ok(Uri::room(room)),
                None => Err(UriError::NotBuiltIn(rest.into())),
            },
            _ => Err(UriError::Scheme(scheme.into())),
        }
    }

    fn sip(scheme: &str, rest: &str) -> Result<Uri, UriError> {
        // RFC 3261, section 25.1, without what we never write: what is outside is refused, as it could end a header line, and so is `?`, as
        // whoever may dial must not add headers to our requests.
        if let Some(c) = rest.chars().find(|c| c.is_whitespace() || c.is_control() || "<>\"\\^`{|}?".contains(*c)) {
            return Err(UriError::Character(c));
        }
        let bare = rest.split(';').next().unwrap_or_default();
        let (user, host) = bare.rsplit_once('@').map_or((None, bare), |(user, host)| (Some(user), host));
        if host.is_empty() || host.starts_with(':') || user.is_some_and(|it| it.is_empty() || it.contains('@')) {
            return Err(UriError::NoHost);
        }
        if let Some(c) = host.chars().find(|c| !c.is_ascii_alphanumeric() && !".-_:[]%".contains(*c)) {
            return Err(UriError::Character(c));
        }
        Ok(Uri(format!("{scheme}:{rest}")))
    }

    /// The number at a line's domain.
    fn of_number(number: &str, domain: &str) -> Uri {
        // `#` would begin what a URI cannot have (RFC 3261, section 25.1: escaped).
        Uri(format!("sip:{}@{domain}", number.replace('#', "%23")))
    }

    /// The built-in echo test.
    pub fn echo_test() -> Uri {
        Uri("hark:echo".into())
    }

    /// Another speaker of the house; `room` is its name in topics.
    pub fn room(room: &str) -> Uri {
        Uri(format!("hark:room/{room}"))
    }

    /// The room that it is the address of.
    pub fn room_name(&self) -> Option<&str> {
        self.0.strip_prefix("hark:room/")
    }

    /// The contact, as [`crate::contacts::Contact::slug`] writes it, of which it is the address wherever that person is.
    pub fn person(&self) -> Option<&str> {
        self.0.strip_prefix("hark:person/")
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `sip`, `sips`, `tel` or `hark`.
    pub fn scheme(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    /// The part before the `@`; the number of a `tel:`.
    pub fn user(&self) -> Option<&str> {
        let (scheme, rest) = self.0.split_once(':')?;
        match scheme {
            "tel" => Some(rest),
            "sip" | "sips" => rest.split(';').next()?.rsplit_once('@').map(|(user, _)| user),
            _ => None,
        }
    }

    /// The host without port and parameters.
    pub fn host(&self) -> Option<&str> {
        let rest = self.0.strip_prefix("sip:").or_else(|| self.0.strip_prefix("sips:"))?;
        let bare = rest.split(';').next()?;
        let host = bare.rsplit_once('@').map_or(bare, |(_, host)| host);
        match host.find(']') {
            Some(end) => Some(&host[..=end]),
            None => host.split(':').next(),
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Uri {
    type Err = UriError;
    fn from_str(text: &str) -> Result<Uri, UriError> {
        Uri::parse(text)
    }
}

/// Whether it can be a contact's name in an address.
fn is_person(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '\'')
}

/// Whether it can be a room's name in topics and addresses.
fn is_room_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
}

/// The digits of a number as people write it, or `None` if it is no number: `+49 (0)30 12-34` is `+49301234`.
pub fn number(text: &str) -> Option<String> {
    let text = text.trim().replace("(0)", if text.trim_start().starts_with(['+', '0']) { "" } else { "(0)" });
    let mut digits = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' | '*' | '#' => digits.push(c),
            '+' if digits.is_empty() => digits.push(c),
            ' ' | '-' | '(' | ')' | '/' | '.' | '\u{a0}' | '\u{2011}' => (),
            _ => return None,
        }
    }
    digits.chars().any(|c| c != '+').then_some(digits)
}

/// The number as the line wants it: with `+` and country code where it is not a short or internal one.
pub fn normalize(number: &str, line: &LineSettings) -> String {
    let Some(country) = line.country_code.as_deref().filter(|_| !line.emergency.iter().any(|it| it == number)) else {
        return number.into();
    };
    match number {
        it if it.contains(['*', '#', '+']) => it.into(),
        it if it.len() < 5 => it.into(),
        it => match (it.strip_prefix("00"), it.strip_prefix('0')) {
            (Some(rest), _) => format!("+{rest}"),
            (None, Some(rest)) => format!("+{country}{rest}"),
            (None, None) => it.into(),
        },
    }
}

/// Whether this number must go out at once, whatever else is going on.
pub fn is_emergency(number: &str, lines: &[LineSettings]) -> bool {
    lines.iter().any(|line| line.emergency.iter().any(|it| it == number))
}

/// Whether two addresses are those of one party, as far as we can know: lines write the same number in different ways.
pub fn same_party(a: &Uri, b: &Uri, lines: &[LineSettings]) -> bool {
    if a == b {
        return true;
    }
    let digits = |uri: &Uri| uri.user().map(|it| it.replace("%23", "#")).and_then(|it| number(&it));
    match (digits(a), digits(b)) {
        (Some(a), Some(b)) => a == b || lines.iter().any(|line| normalize(&a, line) == normalize(&b, line)),
        (None, None) => {
            let lower = |text: Option<&str>| text.map(str::to_ascii_lowercase);
            lower(a.user()) == lower(b.user()) && a.host().is_some() && lower(a.host()) == lower(b.host())
        }
        _ => false,
    }
}

/// One step of a ladder: where, on which line, for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Rung {
    /// Where; never `tel:`.
    pub to: Uri,
    /// On which line.
    pub line: LineName,
    /// How long it may ring.
    pub ring_for: Duration,
    /// What people call this address.
    pub label: Option<String>,
}

/// Why there is no way to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoWay {
    /// No line can reach such an address.
    NoLine,
    /// The lines that could are down.
    LineDown,
    /// The contact has no address of that label.
    NoLabel,
}

/// The ways to a contact, or to one labelled address of it, in ringing order.
pub fn to_contact(
    contact: &Contact,
    label: Option<&str>,
    settings: &Settings,
    down: &BTreeSet<LineName>,
) -> Result<VecDeque<Rung>, NoWay> {
    let wanted = |it: &Option<String>| label.is_none_or(|label| it.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(label)));
    let mut why = NoWay::NoLabel;
    let mut rungs = VecDeque::new();
    for address in contact.addresses.iter().filter(|it| wanted(&it.label)) {
        match rung(&address.to, address.line.as_deref(), settings, down) {
            Ok((line, to)) => {
                let ring_for = address.ring_for.unwrap_or(settings.ring_for);
                rungs.push_back(Rung { to, line, ring_for, label: address.label.clone() });
            }
            Err(NoWay::LineDown) => why = NoWay::LineDown,
            Err(no_way) if why == NoWay::NoLabel => why = no_way,
            Err(_) => (),
        }
    }
    if rungs.is_empty() { Err(why) } else { Ok(rungs) }
}

/// The ways to an address or number. An emergency number is tried on every line that can call numbers, those that know it as such first.
pub fn to_address(to: &Uri, settings: &Settings, down: &BTreeSet<LineName>) -> Result<VecDeque<Rung>, NoWay> {
    let one = |to: Uri, line: LineName| Rung { to, line, ring_for: settings.ring_for, label: None };
    if let Some(number) = emergency(to, settings) {
        let domain = |line: &LineSettings| Some((line.name.clone(), Uri::of_number(number, line.domain.as_deref()?)));
        let knows = |line: &&LineSettings| line.emergency.iter().any(|it| it == number);
        let first = settings.lines.iter().filter(knows).filter_map(domain);
        let then = settings.lines.iter().filter(|it| !knows(it)).filter_map(domain);
        let mut rungs: Vec<_> = first.chain(then).map(|(line, to)| one(to, line)).collect();
        rungs.sort_by_key(|it| down.contains(&it.line));
        return if rungs.is_empty() { Err(NoWay::NoLine) } else { Ok(rungs.into()) };
    }
    rung(to, None, settings, down).map(|(line, to)| VecDeque::from([one(to, line)]))
}

/// The emergency number that an address is, if it is one.
pub fn emergency<'a>(to: &'a Uri, settings: &Settings) -> Option<&'a str> {
    to.user().filter(|it| to.scheme() == "tel" && is_emergency(it, &settings.lines))
}

/// The line for an address, and the address as that line dials it.
fn rung(to: &Uri, line: Option<&str>, settings: &Settings, down: &BTreeSet<LineName>) -> Result<(LineName, Uri), NoWay> {
    if to.person().is_some() {
        return Err(NoWay::NoLine);
    }
    let named = |name: &str| settings.lines.iter().find(|it| it.name == name);
    let of_domain =
        |host: &str| settings.lines.iter().find(|it| it.domain.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(host)));
    let has_domain = |it: &&LineSettings| it.domain.is_some();
    let up = |it: &&LineSettings| !down.contains(&it.name);
    if to.room_name().is_some() {
        // The line to other rooms needs no account: it is there wherever there are rooms.
        return if down.contains(ROOMS) { Err(NoWay::LineDown) } else { Ok((ROOMS.into(), to.clone())) };
    }
    let chosen = match (line, to.scheme()) {
        (Some(name), _) => named(name),
        (None, "hark") => named(BUILTIN),
        (None, "tel") => {
            settings.lines.iter().find(|it| has_domain(it) && up(it)).or_else(|| settings.lines.iter().find(has_domain))
        }
        (None, _) => to.host().and_then(of_domain).or_else(|| named(DIRECT)).or_else(|| settings.lines.iter().find(has_domain)),
    };
    let Some(line) = chosen else { return Err(NoWay::NoLine) };
    if !up(&line) {
        return Err(NoWay::LineDown);
    }
    match (to.scheme(), to.user(), &line.domain) {
        ("tel", Some(number), Some(domain)) => Ok((line.name.clone(), Uri::of_number(&normalize(number, line), domain))),
        ("tel", _, _) => Err(NoWay::NoLine),
        _ => Ok((line.name.clone(), to.clone())),
    }
}
