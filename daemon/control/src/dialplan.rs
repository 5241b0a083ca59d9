//! Who to where.

/// A line's name as in hark.yaml, such as `fritzbox`; `direct` is SIP without an account, `builtin` the echo test.
pub type LineName = String;

/// An address that can be called: `sip:`, `sips:` or `hark:echo`. Valid by construction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uri(String);

impl Uri {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
