//! The jitter buffer against every trick a network plays, by tables.

use media::codec::{Encoder, PACKET};
use media::jitter::{Jitter, JitterStats};
use media::party::{CodecKind, Packet};
use media::{FRAME, meter};

/// A voice-like tone, encoded.
fn stream(kind: CodecKind, n_packets: usize, first_sequence: u16, first_timestamp: u32) -> Vec<Packet> {
    let mut encoder = Encoder::new(kind).unwrap();
    let step = PACKET / media::codec::samples_per_tick(kind);
    (0..n_packets)
        .map(|n| {
            let mut samples = [0.0; PACKET];
            for (k, sample) in samples.iter_mut().enumerate() {
                let t = (n * PACKET + k) as f32 / 48_000.0;
                let wave = |hz: f32| (std::f32::consts::TAU * (hz * t).fract()).sin();
                *sample = 0.15 * wave(150.0) + 0.1 * wave(300.0) + 0.05 * wave(750.0);
            }
            let mut packet = Packet {
                sequence: first_sequence.wrapping_add(n as u16),
                timestamp: first_timestamp.wrapping_add((n * step) as u32),
                marker: n == 0,
                len: 0,
                data: [0; Packet::MAX],
            };
            packet.len = encoder.encode(&samples, &mut packet.data) as u16;
            packet
        })
        .collect()
}

/// Plays packets that arrive in these frames; returns what was heard and the statistics.
fn play(kind: CodecKind, arrivals: &[(usize, Packet)], frames: usize) -> (Vec<f32>, JitterStats) {
    let mut jitter = Jitter::new(kind).unwrap();
    let mut heard = Vec::new();
    for frame in 0..frames {
        arrivals.iter().filter(|it| it.0 == frame).for_each(|it| jitter.insert(&it.1));
        let mut out = [9.0; FRAME];
        jitter.pull(&mut out);
        assert!(out.iter().all(|it| it.is_finite() && it.abs() <= 2.0));
        heard.extend_from_slice(&out);
    }
    (heard, jitter.stats())
}

/// Packet `n` arrives in frame `2 n` and as late as `late` says, in frames.
fn arrive(packets: &[Packet], late: impl Fn(usize) -> Option<usize>) -> Vec<(usize, Packet)> {
    packets.iter().enumerate().filter_map(|(n, packet)| late(n).map(|it| (2 * n + it, *packet))).collect()
}

/// Loud frames in the second half: how much of the voice came through.
fn share_heard(heard: &[f32]) -> f32 {
    let half = &heard[heard.len() / 2..];
    half.chunks(FRAME).filter(|it| meter::dbfs(meter::power(it)) > -30.0).count() as f32 / (half.len() / FRAME) as f32
}

const KINDS: [CodecKind; 3] = [CodecKind::Opus, CodecKind::Pcma, CodecKind::Pcmu];

#[test]
fn a_quiet_network_costs_next_to_no_delay_and_nothing_is_invented() {
    for kind in KINDS {
        let packets = stream(kind, 500, 65_400, u32::MAX - 90_000);
        let (heard, stats) = play(kind, &arrive(&packets, |_| Some(0)), 1000);
        assert!(stats.delay_ms <= 10.5, "{kind:?} {stats:?}");
        assert_eq!((stats.lost, stats.late, stats.garbage, stats.concealed), (0, 0, 0, 0), "{kind:?} {stats:?}");
        assert_eq!(stats.received, 500);
        assert_eq!(share_heard(&heard), 1.0);
    }
}

#[test]
fn single_losses_are_rebuilt_or_concealed() {
    for kind in KINDS {
        let packets = stream(kind, 500, 0, 0);
        let (heard, stats) = play(kind, &arrive(&packets, |n| (n % 12 != 7).then_some(0)), 1000);
        assert!(share_heard(&heard) > 0.97, "{kind:?} {} {stats:?}", share_heard(&heard));
        assert!((40..=42).contains(&stats.lost), "{stats:?}");
        assert!(stats.delay_ms < 45.0, "{kind:?} {stats:?}");
        if kind == CodecKind::Opus {
            assert!(stats.recovered > 25, "{stats:?}");
        }
    }
}

#[test]
fn jitter_makes_the_buffer_longer_and_calm_makes_it_shorter_again() {
    for kind in KINDS {
        let packets = stream(kind, 1500, 10, 10);
        // Up to 60 ms late for ten seconds, then calm.
        let late = |n: usize| Some(if n < 500 { [0, 3, 1, 6, 2, 0, 5, 4][n % 8] } else { 0 });
        let mut jitter = Jitter::new(kind).unwrap();
        let arrivals = arrive(&packets, late);
        let mut delays = Vec::new();
        for frame in 0..3000 {
            arrivals.iter().filter(|it| it.0 == frame).for_each(|it| jitter.insert(&it.1));
            jitter.pull(&mut [0.0; FRAME]);
            delays.push(jitter.stats().delay_ms);
        }
        let stats = jitter.stats();
        assert!(stats.late + stats.lost < 60, "{kind:?} {stats:?}");
        let rough = delays[900..1000].iter().fold(0.0f32, |a, b| a.max(*b));
        assert!(rough > 40.0 && rough < 120.0, "{kind:?} {rough}");
        assert!(delays[2990] < 15.0, "{kind:?} {} {stats:?}", delays[2990]);
        assert!(stats.stretched > 3, "{stats:?}");
    }
}

#[test]
fn a_stall_of_300_ms_is_caught_up() {
    for kind in KINDS {
        let packets = stream(kind, 1000, 10, 10);
        let late = |n: usize| Some(if (200..215).contains(&n) { 30 - 2 * (n - 200) } else { 0 });
        let (heard, stats) = play(kind, &arrive(&packets, late), 2000);
        assert!(stats.delay_ms < 25.0, "{kind:?} {stats:?}");
        assert_eq!(share_heard(&heard), 1.0, "{kind:?}");
    }
}

#[test]
fn reordered_and_doubled_packets_do_no_harm() {
    for kind in KINDS {
        let packets = stream(kind, 500, 65_500, 77);
        // Every tenth comes after the one behind it; every seventh comes twice.
        let mut arrivals = arrive(&packets, |n| Some(if n % 10 == 3 { 3 } else { 0 }));
        arrivals.extend(arrive(&packets, |n| (n % 7 == 0).then_some(1)));
        let (heard, stats) = play(kind, &arrivals, 1000);
        assert!(share_heard(&heard) > 0.98, "{kind:?} {stats:?}");
        assert!(stats.late + stats.duplicates >= 70 && stats.lost < 5, "{kind:?} {stats:?}");
    }
}

#[test]
fn a_stream_that_jumps_elsewhere_goes_on_from_there() {
    // (sequence, timestamp) of the second part: another SSRC's numbers, a timestamp that starts over, one far ahead.
    for (sequence, timestamp) in [(40_000, 3_000_000_000), (300, 5), (1, 0), (300, 2_000_000_000), (250, 288_000)] {
        for kind in KINDS {
            let mut arrivals = arrive(&stream(kind, 250, 50, 100), |_| Some(0));
            let second = stream(kind, 250, sequence, timestamp);
            arrivals.extend(second.iter().enumerate().map(|(n, packet)| (500 + 2 * n, *packet)));
            let (heard, stats) = play(kind, &arrivals, 1000);
            assert!(share_heard(&heard) > 0.95, "{sequence} {timestamp} {kind:?} {} {stats:?}", share_heard(&heard));
            assert!(stats.delay_ms < 30.0, "{sequence} {timestamp} {kind:?} {stats:?}");
        }
    }
}

#[test]
fn pauses_end_without_loss_and_without_delay() {
    for kind in KINDS {
        let mut arrivals = Vec::new();
        let tick = PACKET / media::codec::samples_per_tick(kind);
        // Half a second of talk, one second of nothing: DTX counts on in timestamps, not in sequence numbers.
        for burst in 0..10usize {
            let packets = stream(kind, 25, (burst * 25) as u16, (burst * 75 * tick) as u32);
            arrivals.extend(packets.iter().enumerate().map(|(n, it)| (burst * 150 + 2 * n, *it)));
        }
        let (heard, stats) = play(kind, &arrivals, 1500);
        assert_eq!((stats.lost, stats.garbage), (0, 0), "{kind:?} {stats:?}");
        let talk = share_heard(&heard);
        assert!((0.3..0.45).contains(&talk), "{kind:?} {talk}");
    }
}

#[test]
fn any_packet_length_is_taken() {
    // 10 and 30 ms of G.711.
    for ms in [10, 30] {
        let n = 8 * ms;
        let arrivals: Vec<_> = (0..300usize)
            .map(|k| {
                let mut packet = Packet {
                    sequence: k as u16,
                    timestamp: (k * n) as u32,
                    marker: false,
                    len: n as u16,
                    data: [0xd5; Packet::MAX],
                };
                for (j, byte) in packet.data[..n].iter_mut().enumerate() {
                    let t = (k * n + j) as f32 / 8000.0;
                    *byte = media::g711::encode_a((8000.0 * (std::f32::consts::TAU * (400.0 * t).fract()).sin()) as i16);
                }
                (k * ms / 10, packet)
            })
            .collect();
        let (heard, stats) = play(CodecKind::Pcma, &arrivals, 300 * ms / 10);
        assert_eq!((stats.lost, stats.concealed), (0, 0), "{ms} ms: {stats:?}");
        assert!(share_heard(&heard) > 0.99);
    }
}

#[test]
fn garbage_never_panics_and_the_voice_comes_back() {
    let mut state = 3u32;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    for kind in KINDS {
        let mut jitter = Jitter::new(kind).unwrap();
        let mut out = [0.0; FRAME];
        for _ in 0..20_000 {
            for _ in 0..random() % 3 {
                let mut packet = Packet {
                    sequence: if random() % 2 == 0 { random() as u16 } else { (random() % 20) as u16 },
                    timestamp: if random() % 2 == 0 { random() } else { random() % 20_000 },
                    marker: random() % 5 == 0,
                    len: (random() % (Packet::MAX as u32 + 1)) as u16,
                    data: [0; Packet::MAX],
                };
                packet.data.iter_mut().for_each(|it| *it = random() as u8);
                jitter.insert(&packet);
            }
            jitter.pull(&mut out);
            assert!(out.iter().all(|it| it.is_finite() && it.abs() <= 2.0));
        }
        let mut heard = Vec::new();
        for packet in stream(kind, 200, 12_345, 99) {
            jitter.insert(&packet);
            for _ in 0..2 {
                jitter.pull(&mut out);
                heard.extend_from_slice(&out);
            }
        }
        assert!(share_heard(&heard) > 0.95, "{kind:?} {}", share_heard(&heard));
    }
}

#[test]
fn a_slow_sender_and_a_fast_one_are_followed() {
    // 300 ppm: one frame more or less in 33 seconds.
    for (every, label) in [(3333, "fast"), (3334, "slow")] {
        let kind = CodecKind::Opus;
        let packets = stream(kind, 4000, 0, 0);
        let mut jitter = Jitter::new(kind).unwrap();
        let mut at = 0;
        for frame in 0..7990usize {
            // The clock that pulls is off by one frame now and then.
            let due = if label == "fast" { frame + frame / every } else { frame - frame / every };
            while at < packets.len() && 2 * at <= due {
                jitter.insert(&packets[at]);
                at += 1;
            }
            jitter.pull(&mut [0.0; FRAME]);
        }
        let stats = jitter.stats();
        assert!(stats.delay_ms < 25.0 && stats.concealed <= 6, "{label} {stats:?}");
    }
}
