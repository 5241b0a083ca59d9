//! Digest authentication (RFC 8760, RFC 7616, RFC 3261 section 22): MD5, SHA-256, several challenges, `stale`.

use md5::Md5;
use sha2::{Digest, Sha256};

/// Hash functions, better ones later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha256,
}

/// One challenge: `WWW-Authenticate` or `Proxy-Authenticate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Option<String>,
    hash: Hash,
    session: bool,
    qop_auth: bool,
    qop_offered: bool,
    /// Whether only the nonce was too old: the password may be right.
    pub stale: bool,
}

/// Who we are.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The name to authenticate with.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
}

impl Challenge {
    /// Reads a header's value; nothing if we cannot answer it.
    pub fn parse(value: &str) -> Option<Challenge> {
        let (scheme, rest) = value.trim().split_once(char::is_whitespace)?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let fields = fields(rest);
        let get = |name: &str| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
        let algorithm = get("algorithm");
        let (hash, session) = match algorithm.as_deref().unwrap_or("MD5").to_ascii_uppercase().as_str() {
            "MD5" => (Hash::Md5, false),
            "MD5-SESS" => (Hash::Md5, true),
            "SHA-256" | "SHA256" => (Hash::Sha256, false),
            "SHA-256-SESS" => (Hash::Sha256, true),
            _ => return None,
        };
        let qop = get("qop");
        let qop_auth = qop.as_deref().is_some_and(|it| it.split(',').any(|it| it.trim().eq_ignore_ascii_case("auth")));
        let challenge = Challenge {
            realm: get("realm")?,
            nonce: get("nonce")?,
            opaque: get("opaque"),
            algorithm,
            hash,
            session,
            qop_auth,
            qop_offered: qop.is_some(),
            stale: get("stale").is_some_and(|it| it.eq_ignore_ascii_case("true")),
        };
        // Protecting the body (`auth-int`) alone is asked by nobody: we do not do it.
        (challenge.qop_auth || !challenge.qop_offered).then_some(challenge)
    }

    /// The best of several: the strongest hash; the first of equals.
    pub fn pick(values: impl Iterator<Item = String>) -> Option<Challenge> {
        let known = values.filter_map(|it| Challenge::parse(&it));
        known.reduce(|best, it| if it.hash > best.hash { it } else { best })
    }

    /// The value of `Authorization` or `Proxy-Authorization`.
    pub fn answer(&self, login: Login<'_>, method: &str, uri: &str, cnonce: &str) -> String {
        let Challenge { realm, nonce, .. } = self;
        let count = "00000001";
        let mut secret = self.hash(&format!("{}:{realm}:{}", login.user, login.password));
        if self.session {
            secret = self.hash(&format!("{secret}:{nonce}:{cnonce}"));
        }
        let request = self.hash(&format!("{method}:{uri}"));
        let response = match self.qop_auth {
            true => self.hash(&format!("{secret}:{nonce}:{count}:{cnonce}:auth:{request}")),
            false => self.hash(&format!("{secret}:{nonce}:{request}")),
        };
        let (user, realm) = (quoted(login.user), quoted(realm));
        let mut value =
            format!("Digest username={user}, realm={realm}, nonce={}, uri=\"{uri}\", response=\"{response}\"", quoted(nonce));
        if let Some(algorithm) = &self.algorithm {
            value += &format!(", algorithm={algorithm}");
        }
        if let Some(opaque) = &self.opaque {
            value += &format!(", opaque={}", quoted(opaque));
        }
        if self.qop_auth {
            value += &format!(", qop=auth, nc={count}, cnonce=\"{cnonce}\"");
        } else if self.session {
            value += &format!(", cnonce=\"{cnonce}\"");
        }
        value
    }

    fn hash(&self, text: &str) -> String {
        match self.hash {
            Hash::Md5 => hex(&Md5::digest(text)),
            Hash::Sha256 => hex(&Sha256::digest(text)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// `name=value, name="value, with a comma"`.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut rest = text.trim();
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(inside) => unquote(inside),
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        fields.push((name.trim().to_owned(), value));
        rest = next.trim_start().trim_start_matches(',').trim_start();
    }
    fields
}

/// Reads up to the closing quote; returns what follows it too.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, it)) = chars.next() {
        match it {
            '\\' => value.extend(chars.next().map(|(_, it)| it)),
            '"' => return (value, &text[at + 1..]),
            _ => value.push(it),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MUFASA: Login<'_> = Login { user: "Mufasa", password: "Circle of Life" };

    fn response(value: &str) -> &str {
        value.split("response=\"").nth(1).unwrap().split('"').next().unwrap()
    }

    #[test]
    fn the_examples_of_rfc_7616_come_out_right() {
        let challenge = |algorithm: &str| {
            format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            )
        };
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, expected) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let answer = Challenge::parse(&challenge(algorithm)).unwrap().answer(MUFASA, "GET", "/dir/index.html", cnonce);
            assert_eq!(response(&answer), expected);
            assert!(answer.contains("qop=auth, nc=00000001"), "{answer}");
        }
    }

    #[test]
    fn without_qop_the_old_way_is_used() {
        let challenge =
            Challenge::parse("Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"").unwrap();
        let login = Login { user: "Mufasa", password: "CircleOfLife" };
        let answer = challenge.answer(login, "GET", "/dir/index.html", "x");
        assert_eq!(response(&answer), "1949323746fe6a43ef61f9606e7febea");
        assert!(!answer.contains("algorithm") && !answer.contains("qop"), "{answer}");
    }

    #[test]
    fn the_strongest_challenge_that_we_know_is_taken() {
        let offer = |names: &[&str]| {
            let values = names.iter().map(|it| format!("Digest realm=\"r\", nonce=\"n\", algorithm={it}"));
            Challenge::pick(values.collect::<Vec<_>>().into_iter()).and_then(|it| it.algorithm)
        };
        assert_eq!(offer(&["MD5", "SHA-256"]).as_deref(), Some("SHA-256"));
        assert_eq!(offer(&["SHA-512-256", "SHA-256", "MD5"]).as_deref(), Some("SHA-256"));
        assert_eq!(offer(&["AKAv1-MD5", "MD5"]).as_deref(), Some("MD5"));
        assert_eq!(offer(&["SHA-512-256"]), None);
    }

    #[test]
    fn odd_challenges_are_read_or_passed_over() {
        let odd = Challenge::parse("digest  Realm=\"a, \\\"b\\\" c\",nonce=plain ,STALE=TRUE, qop=auth").unwrap();
        assert_eq!((odd.realm.as_str(), odd.nonce.as_str(), odd.stale, odd.qop_auth), ("a, \"b\" c", "plain", true, true));
        for bad in [
            "",
            "Digest",
            "Basic realm=\"x\"",
            "Digest realm=\"x\"",
            "Digest nonce=\"",
            "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"",
        ] {
            assert_eq!(Challenge::parse(bad), None, "{bad}");
        }
    }
}
