//! RTCP (RFC 3550, section 6): our reports, theirs, and the figures of a stream: loss, jitter, round trip.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seconds between 1900 (NTP) and 1970.
const NTP_EPOCH: u64 = 2_208_988_800;

/// What can be told of a call's media while it runs and afterwards; read by anyone, written by the media task.
#[derive(Debug, Default)]
pub struct MediaStats {
    /// Packets that came and were played.
    pub received: AtomicU64,
    /// Packets that we sent.
    pub sent: AtomicU64,
    /// Packets that were lost on the way to us.
    pub lost: AtomicU64,
    /// Packets that were not RTP, not from the other end or not decipherable.
    pub refused: AtomicU64,
    /// Packets that the engine had no room for.
    pub dropped: AtomicU64,
    /// Interarrival jitter towards us, in microseconds.
    pub jitter_us: AtomicU32,
    /// Round trip by RTCP, in microseconds; 0 until known.
    pub round_trip_us: AtomicU32,
    /// Loss from us to them as they report it, in 256ths.
    pub their_loss_256: AtomicU32,
    /// Longest time that a packet of ours waited in the line before it was sent, in microseconds.
    pub send_delay_us: AtomicU32,
}

/// What we know of the packets that come from one sender.
pub struct Reception {
    ssrc: u32,
    clock_hz: u32,
    base: u32,
    highest: u32,
    received: u32,
    expected_before: u32,
    received_before: u32,
    transit: Option<i64>,
    jitter: f64,
    last_report: Option<(u32, Instant)>,
    start: Instant,
}

impl Reception {
    /// Starts with the first packet of a sender.
    pub fn new(ssrc: u32, sequence: u16, clock_hz: u32, now: Instant) -> Reception {
        let base = u32::from(sequence);
        Reception {
            ssrc,
            clock_hz,
            base,
            highest: base,
            received: 0,
            expected_before: 0,
            received_before: 0,
            transit: None,
            jitter: 0.0,
            last_report: None,
            start: now,
        }
    }

    /// The sender.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Counts a packet in.
    pub fn packet(&mut self, sequence: u16, timestamp: u32, now: Instant, stats: &MediaStats) {
        let step = sequence.wrapping_sub(self.highest as u16);
        if step < 0x8000 {
            self.highest = self.highest.wrapping_add(u32::from(step));
        }
        self.received = self.received.wrapping_add(1);
        // RFC 3550, A.8: the change of (arrival - timestamp), smoothed by 1/16.
        let arrival = (now.duration_since(self.start).as_secs_f64() * f64::from(self.clock_hz)) as i64;
        let transit = i64::from((arrival as u32).wrapping_sub(timestamp) as i32);
        if let Some(before) = self.transit {
            let change = f64::from((transit - before).unsigned_abs().min(u64::from(u32::MAX)) as u32);
            // A jump of a second or more is a new timestamp, not jitter.
            if change < f64::from(self.clock_hz) {
                self.jitter += (change - self.jitter) / 16.0;
            }
        }
        self.transit = Some(transit);
        stats.received.fetch_add(1, Relaxed);
        stats.jitter_us.store((self.jitter * 1e6 / f64::from(self.clock_hz)) as u32, Relaxed);
        stats.lost.store(u64::from(self.lost()), Relaxed);
    }

    fn expected(&self) -> u32 {
        self.highest.wrapping_sub(self.base).wrapping_add(1)
    }

    fn lost(&self) -> u32 {
        self.expected().saturating_sub(self.received)
    }

    /// The report block about this sender.
    fn block(&mut self, out: &mut Vec<u8>, now: Instant) {
        let expected = self.expected().wrapping_sub(self.expected_before);
        let received = self.received.wrapping_sub(self.received_before);
        let lost = expected.saturating_sub(received);
        self.expected_before = self.expected();
        self.received_before = self.received;
        let fraction = (lost * 256).checked_div(expected).unwrap_or(0).min(255) as u8;
        out.extend(self.ssrc.to_be_bytes());
        out.push(fraction);
        out.extend(&self.lost().min(0x7f_ffff).to_be_bytes()[1..]);
        out.extend(self.highest.to_be_bytes());
        out.extend((self.jitter as u32).to_be_bytes());
        let (report, since) = match self.last_report {
            Some((report, at)) => (report, (now.duration_since(at).as_secs_f64() * 65_536.0) as u32),
            None => (0, 0),
        };
        out.extend(report.to_be_bytes());
        out.extend(since.to_be_bytes());
    }

    /// Notes a sender report of this sender, so that it can measure the round trip.
    pub fn sender_report(&mut self, ntp_middle: u32, now: Instant) {
        self.last_report = Some((ntp_middle, now));
    }
}

/// What we have sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sending {
    /// Our SSRC.
    pub ssrc: u32,
    /// The last timestamp that we sent.
    pub timestamp: u32,
    /// Packets.
    pub packets: u32,
    /// Payload bytes.
    pub bytes: u32,
}

/// Our report: SR when we have sent, else RR; then our name (SDES).
pub fn report(sending: &Sending, reception: Option<&mut Reception>, cname: &str, wall: SystemTime, now: Instant) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    let count = u8::from(reception.is_some());
    let words = if sending.packets > 0 { 6 } else { 1 } + 6 * u16::from(count);
    out.extend([0x80 | count, if sending.packets > 0 { 200 } else { 201 }]);
    out.extend(words.to_be_bytes());
    out.extend(sending.ssrc.to_be_bytes());
    if sending.packets > 0 {
        out.extend(ntp(wall).to_be_bytes());
        out.extend(sending.timestamp.to_be_bytes());
        out.extend(sending.packets.to_be_bytes());
        out.extend(sending.bytes.to_be_bytes());
    }
    if let Some(reception) = reception {
        reception.block(&mut out, now);
    }
    describe(&mut out, sending.ssrc, cname);
    out
}

/// The last words: BYE.
pub fn goodbye(sending: &Sending, cname: &str) -> Vec<u8> {
    let mut out = vec![0x80, 201, 0, 1];
    out.extend(sending.ssrc.to_be_bytes());
    describe(&mut out, sending.ssrc, cname);
    out.extend([0x81, 203, 0, 1]);
    out.extend(sending.ssrc.to_be_bytes());
    out
}

fn describe(out: &mut Vec<u8>, ssrc: u32, cname: &str) {
    let cname = &cname.as_bytes()[..cname.len().min(255)];
    let start = out.len();
    out.extend([0x81, 202, 0, 0]);
    out.extend(ssrc.to_be_bytes());
    out.extend([1, cname.len() as u8]);
    out.extend(cname);
    out.push(0);
    while !(out.len() - start).is_multiple_of(4) {
        out.push(0);
    }
    let words = ((out.len() - start) / 4 - 1) as u16;
    out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
}

/// 64 bits: seconds since 1900 and their fraction.
fn ntp(wall: SystemTime) -> u64 {
    let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    ((since.as_secs() + NTP_EPOCH) << 32) | fraction
}

/// What matters to us in what they report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// A sender report: its SSRC and the middle of its clock.
    Sender { ssrc: u32, ntp_middle: u32 },
    /// Their view of our packets: loss in 256ths, our last report's clock and how long they had it.
    About { ssrc: u32, loss_256: u8, last_report: u32, since: u32 },
    /// They stop sending.
    Goodbye { ssrc: u32 },
}

/// Reads a compound packet as far as it makes sense.
pub fn parse(mut packet: &[u8]) -> Vec<Report> {
    let mut reports = Vec::new();
    while packet.len() >= 8 && packet[0] >> 6 == 2 && reports.len() < 64 {
        let length = 4 * (1 + usize::from(u16::from_be_bytes([packet[2], packet[3]])));
        let Some(one) = packet.get(..length) else { break };
        packet = &packet[length..];
        if one.len() < 8 {
            break;
        }
        let ssrc = word(one, 4);
        let blocks = match one[1] {
            200 if one.len() >= 28 => {
                reports.push(Report::Sender { ssrc, ntp_middle: (word(one, 8) << 16) | (word(one, 12) >> 16) });
                &one[28..]
            }
            201 => &one[8..],
            203 => {
                reports.push(Report::Goodbye { ssrc });
                continue;
            }
            _ => continue,
        };
        let count = usize::from(one[0] & 0x1f);
        reports.extend(blocks.chunks_exact(24).take(count).map(|it| Report::About {
            ssrc: word(it, 0),
            loss_256: it[4],
            last_report: word(it, 16),
            since: word(it, 20),
        }));
    }
    reports
}

/// The round trip from what they say about our last report (RFC 3550, 6.4.1); nothing if they have none of ours.
pub fn round_trip(last_report: u32, since: u32, wall: SystemTime) -> Option<Duration> {
    if last_report == 0 {
        return None;
    }
    let now = (ntp(wall) >> 16) as u32;
    let trip = now.wrapping_sub(last_report).wrapping_sub(since);
    // More than ten seconds is a clock that jumped, or a lie.
    (trip < 10 << 16).then(|| Duration::from_secs_f64(f64::from(trip) / 65_536.0))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_packets_and_jitter_are_counted() {
        let start = Instant::now();
        let stats = MediaStats::default();
        let mut reception = Reception::new(7, 65_530, 8_000, start);
        for n in (0..100u32).filter(|n| n % 10 != 3) {
            let late = if n % 2 == 0 { 0 } else { 4 };
            let at = start + Duration::from_millis(u64::from(n * 20 + late));
            reception.packet(65_530u16.wrapping_add(n as u16), n * 160, at, &stats);
        }
        assert_eq!(stats.received.load(Relaxed), 90);
        assert_eq!(stats.lost.load(Relaxed), 10);
        let jitter_us = stats.jitter_us.load(Relaxed);
        assert!((2_500..4_500).contains(&jitter_us), "{jitter_us}");
    }

    #[test]
    fn a_report_is_read_back_and_gives_the_round_trip() {
        let (start, wall) = (Instant::now(), SystemTime::now());
        let stats = MediaStats::default();
        let mut reception = Reception::new(7, 1, 48_000, start);
        reception.packet(1, 0, start, &stats);
        reception.packet(3, 1920, start, &stats);
        let ours = Sending { ssrc: 42, timestamp: 5, packets: 3, bytes: 9 };
        let sent = parse(&report(&ours, Some(&mut reception), "x@y", wall, start));
        let Report::Sender { ssrc: 42, ntp_middle } = sent[0] else { panic!("{sent:?}") };
        assert_eq!(sent[1], Report::About { ssrc: 7, loss_256: 85, last_report: 0, since: 0 });
        let trip = round_trip(ntp_middle, 65_536, wall + Duration::from_millis(1_200)).unwrap();
        assert!((trip.as_millis() as i64 - 200).abs() <= 1, "{trip:?}");
        assert_eq!(round_trip(0, 0, wall), None);
        assert_eq!(parse(&goodbye(&ours, "x@y")).last(), Some(&Report::Goodbye { ssrc: 42 }));
    }

    #[test]
    fn broken_reports_are_read_as_far_as_they_go() {
        let mut bytes = report(&Sending { packets: 1, ..Sending::default() }, None, "a", SystemTime::now(), Instant::now());
        for length in 0..bytes.len() {
            parse(&bytes[..length]);
        }
        bytes[2] = 0xff;
        assert_eq!(parse(&bytes), vec![]);
        assert_eq!(parse(&[0x9f, 201, 0, 1, 0, 0, 0, 0]), vec![]);
        assert_eq!(parse(&[0x80, 201, 0, 0, 0, 0, 0, 0]), vec![]);
    }
}
