//! The time on the wall, as people and machines write it: RFC 3339 with the zone of this house.

use std::time::SystemTime;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// Writes a moment with milliseconds and the zone that is in force here at that moment.
pub fn rfc3339(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at);
    let at = at.replace_nanosecond(at.nanosecond() / 1_000_000 * 1_000_000).unwrap_or(at);
    let at = at.checked_to_offset(offset_at(at.unix_timestamp())).unwrap_or(at);
    at.format(&Rfc3339).expect("years that a clock can show have four digits")
}

/// Days since Monday and minutes since midnight, here, at a moment.
pub fn weekday_and_minute(at: SystemTime) -> (u8, u16) {
    let at = OffsetDateTime::from(at);
    let at = at.checked_to_offset(offset_at(at.unix_timestamp())).unwrap_or(at);
    (at.weekday().number_days_from_monday(), u16::from(at.hour()) * 60 + u16::from(at.minute()))
}

/// The zone at a moment: summer time comes and goes while we run.
fn offset_at(unix_s: i64) -> UtcOffset {
    let moment = unix_s as libc::time_t;
    // SAFETY: all zeroes is a valid `tm`; `localtime_r` fills it and keeps neither pointer. It reads the variable TZ, which nothing of ours writes.
    let offset_s = unsafe {
        let mut local: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&moment, &mut local).is_null() { 0 } else { local.tm_gmtoff }
    };
    i32::try_from(offset_s).ok().and_then(|s| UtcOffset::from_whole_seconds(s / 60 * 60).ok()).unwrap_or(UtcOffset::UTC)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_day_has_1440_minutes_and_a_week_has_7_days() {
        let at = |minutes: u64| weekday_and_minute(UNIX_EPOCH + Duration::from_secs(1_763_674_380 + minutes * 60));
        let (weekday, minute) = at(0);
        assert_eq!(at(1), if minute == 1439 { ((weekday + 1) % 7, 0) } else { (weekday, minute + 1) });
        assert_eq!(at(7 * 1440), (weekday, minute));
        assert_eq!(at(1440).0, (weekday + 1) % 7);
    }

    #[test]
    fn a_moment_reads_back_as_the_same_moment() {
        for ms in [0, 1_000, 1_763_674_394_123, 4_000_000_000_999] {
            let at = UNIX_EPOCH + Duration::from_millis(ms);
            let text = rfc3339(at);
            let read = OffsetDateTime::parse(&text, &Rfc3339).unwrap();
            assert_eq!(read.unix_timestamp_nanos(), i128::from(ms) * 1_000_000, "{text}");
        }
    }
}
