//! Why a caller gave up. What status codes mean is for `control` to know.

use control::call::EndReason;

/// The reason for a CANCEL or BYE: the `Reason` headers (RFC 3326) of "it was answered elsewhere" say 200.
pub fn of_cancel(reasons: impl Iterator<Item = String>) -> EndReason {
    let mut codes = reasons.filter_map(|value| sip_cause(&value));
    match codes.next() {
        Some(200) => EndReason::AnsweredElsewhere,
        _ => EndReason::Cancelled,
    }
}

/// The `cause` of `SIP;cause=200;text="Call completed elsewhere"`.
fn sip_cause(value: &str) -> Option<u16> {
    let mut parts = value.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("sip") {
        return None;
    }
    parts.find_map(|it| it.strip_prefix("cause=")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answered_elsewhere_is_told_from_given_up() {
        let of = |value: &str| of_cancel([value.to_owned()].into_iter());
        assert_eq!(of("SIP;cause=200;text=\"Call completed elsewhere\""), EndReason::AnsweredElsewhere);
        assert_eq!(of("sip ; cause=200"), EndReason::AnsweredElsewhere);
        assert_eq!(of("Q.850;cause=16"), EndReason::Cancelled);
        assert_eq!(of("SIP;cause=x"), EndReason::Cancelled);
        assert_eq!(of(""), EndReason::Cancelled);
    }
}
