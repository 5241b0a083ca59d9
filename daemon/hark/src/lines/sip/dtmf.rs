//! Touch tones in RTP (RFC 4733): sending them key by key, and hearing each key once.

use std::collections::VecDeque;

/// A packet every 20 ms.
pub const STEP_MS: u32 = 20;

/// How long a key is held: long enough for machines that decode it from sound behind a gateway.
const KEY_MS: u32 = 160;

/// Silence between keys.
const PAUSE_MS: u32 = 80;

/// The end of a key is said three times (RFC 4733, section 2.5.1.4).
const ENDS: u32 = 3;

/// -10 dBm0.
const VOLUME: u8 = 10;

/// The event code of a key.
fn code(key: char) -> Option<u8> {
    Some(match key.to_ascii_uppercase() {
        digit @ '0'..='9' => digit as u8 - b'0',
        '*' => 10,
        '#' => 11,
        letter @ 'A'..='D' => letter as u8 - b'A' + 12,
        _ => return None,
    })
}

fn key(code: u8) -> Option<char> {
    "0123456789*#ABCD".chars().nth(code.into())
}

/// One packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TonePacket {
    /// The first one of a key: new timestamp, marker bit.
    pub first: bool,
    /// The four bytes.
    pub payload: [u8; 4],
}

/// The keys to be sent, and how far the one under the finger is.
#[derive(Debug, Default)]
pub struct Keypad {
    waiting: VecDeque<u8>,
    down: Option<(u8, u32)>,
}

impl Keypad {
    /// Adds keys; what is no key is passed over.
    pub fn press(&mut self, keys: &str) {
        self.waiting.extend(keys.chars().filter_map(code));
    }

    /// Whether there is anything to send.
    pub fn is_idle(&self) -> bool {
        self.down.is_none() && self.waiting.is_empty()
    }

    /// What is to be sent now; to be asked every [`STEP_MS`]. `clock_hz` is that of `telephone-event`.
    pub fn step(&mut self, clock_hz: u32) -> Option<TonePacket> {
        let (code, ms) = match self.down {
            Some((code, ms)) => (code, ms + STEP_MS),
            None => (self.waiting.pop_front()?, STEP_MS),
        };
        let last_ms = KEY_MS + (ENDS - 1) * STEP_MS;
        self.down = (ms < last_ms + PAUSE_MS).then_some((code, ms));
        if ms > last_ms {
            return None;
        }
        let duration = (ms.min(KEY_MS) * (clock_hz / 1_000)).min(0xffff) as u16;
        let end = if ms >= KEY_MS { 0x80 } else { 0 };
        let [high, low] = duration.to_be_bytes();
        Some(TonePacket { first: ms == STEP_MS, payload: [code, end | VOLUME, high, low] })
    }
}

/// Finds each key once in packets that repeat it.
#[derive(Debug, Default)]
pub struct KeyEar {
    heard: Option<(u32, u32)>,
}

impl KeyEar {
    /// The key, the first time that its packets are seen (they share sender and timestamp).
    pub fn packet(&mut self, ssrc: u32, timestamp: u32, payload: &[u8]) -> Option<char> {
        let &[code, ..] = payload.first_chunk::<4>()?;
        if self.heard.replace((ssrc, timestamp)) == Some((ssrc, timestamp)) {
            return None;
        }
        key(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_sent_is_heard_once() {
        for clock_hz in [8_000, 48_000] {
            let mut keypad = Keypad::default();
            keypad.press("0123 456x789*#ad");
            let (mut ear, mut heard, mut timestamp) = (KeyEar::default(), String::new(), 0);
            for step in 0..1_000u32 {
                let Some(packet) = keypad.step(clock_hz) else { continue };
                if packet.first {
                    timestamp = step;
                }
                heard.extend(ear.packet(1, timestamp, &packet.payload));
            }
            assert_eq!(heard, "0123456789*#AD");
            assert!(keypad.is_idle());
        }
    }

    #[test]
    fn a_key_is_begun_once_and_ended_three_times() {
        let mut keypad = Keypad::default();
        keypad.press("5");
        let packets: Vec<TonePacket> = (0..20).filter_map(|_| keypad.step(8_000)).collect();
        assert_eq!(packets.iter().filter(|it| it.first).count(), 1);
        assert_eq!(packets[0].payload, [5, VOLUME, 0, 160]);
        let ends: Vec<[u8; 4]> = packets.iter().map(|it| it.payload).filter(|it| it[1] & 0x80 != 0).collect();
        assert_eq!(ends, [[5, 0x80 | VOLUME, 5, 0]; 3]);
    }

    #[test]
    fn what_is_no_key_is_not_heard() {
        assert_eq!(KeyEar::default().packet(1, 1, &[5, 0, 0]), None);
        assert_eq!(KeyEar::default().packet(1, 1, &[16, 0, 0, 0]), None);
        assert_eq!(KeyEar::default().packet(1, 1, &[]), None);
    }
}
