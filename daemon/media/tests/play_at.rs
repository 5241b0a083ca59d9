//! Speakers whose cards were opened at different times, jitter and drift, and have other rates, play at the same moment.

use media::FRAME;
use media::clip;
use media::engine::{Control, Core, EngineSettings, Runner};
use media::order::{Bus, Command, Notice, SoundId};
use media::ring::{CaptureEnd, CardRings, PlaybackEnd, card};

const MS: u64 = 1_000_000;

/// A card on a clock that the test turns.
struct Card {
    rings: CardRings,
    capture: CaptureEnd,
    playback: PlaybackEnd,
    runner: Runner,
    control: Control,
    rate_hz: u32,
    /// When its next period is due.
    due_ns: f64,
    period_ns: f64,
    latency_ns: u64,
    seed: u64,
    /// Each sample with the moment it left the loudspeaker, once there was sound.
    heard: Vec<(u64, f32)>,
}

impl Card {
    fn new(rate_hz: u32, opened_ns: u64, ppm: f64, latency_ns: u64) -> Card {
        let (rings, capture, playback) = card(rate_hz, rate_hz).unwrap();
        let (core, control, _) = Core::new(EngineSettings { echo_cancellation: false, ..EngineSettings::default() }).unwrap();
        let period_ns = 10e6 * (1.0 - ppm * 1e-6);
        let runner = Runner::new(core);
        let (due_ns, seed, heard) = (opened_ns as f64, opened_ns + 1, Vec::new());
        Card { rings, capture, playback, runner, control, rate_hz, due_ns, period_ns, latency_ns, seed, heard }
    }

    /// One period: the callback comes up to 3 ms late, what it fills leaves on time.
    fn step(&mut self) {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let late_ns = (self.seed >> 33) % (3 * MS);
        let leaves_ns = self.due_ns as u64 + self.latency_ns;
        let mut out = vec![0.0; self.rate_hz as usize / 100];
        self.playback.leaves_at(leaves_ns + late_ns);
        self.playback.fill(&mut out);
        let each_ns = self.period_ns / out.len() as f64;
        let heard = out.iter().enumerate().filter(|it| *it.1 != 0.0);
        self.heard.extend(heard.map(|(n, sample)| (leaves_ns + (n as f64 * each_ns) as u64, *sample)));
        self.capture.push(out.iter().map(|_| 0.0));
        self.runner.turn(&mut self.rings);
        self.due_ns += self.period_ns;
    }

    fn play_at(&mut self, id: u32, at_ns: u64) {
        let source = clip::from_samples(&[0.3; 9600], 48_000);
        self.control.send(Command::PlayAt { id: SoundId(id), bus: Bus::Announce, source, at_ns }).ok().unwrap();
    }

    /// When the first loud sample left.
    fn began_ns(&self) -> u64 {
        self.heard.iter().find(|it| it.1 > 0.15).unwrap().0
    }
}

/// All live until this moment.
fn live(cards: &mut [Card], until_ns: u64) {
    for card in cards {
        while card.due_ns < until_ns as f64 {
            card.step();
        }
    }
}

fn three() -> [Card; 3] {
    [
        Card::new(48_000, 7 * MS, 80.0, 20 * MS),
        Card::new(48_000, 1_203 * MS + 400_000, -80.0, 3 * MS),
        Card::new(44_100, 613 * MS, 30.0, 55 * MS),
    ]
}

#[test]
fn a_sound_begins_everywhere_at_the_moment_that_was_asked_for() {
    let mut cards = three();
    live(&mut cards, 4_000 * MS);
    let at_ns = 4_200 * MS + 345_678;
    cards.iter_mut().for_each(|it| it.play_at(1, at_ns));
    live(&mut cards, 5_000 * MS);
    for card in &cards {
        let off_ms = (card.began_ns() as f64 - at_ns as f64) / 1e6;
        println!("{} Hz, {:.0} ns period: {off_ms:+.2} ms", card.rate_hz, card.period_ns);
        // The callbacks are 1.5 ms late on average, and nobody can know.
        assert!((off_ms + 1.5).abs() < 1.5, "{off_ms} ms");
    }
    let began = cards.iter().map(Card::began_ns);
    let apart = began.clone().max().unwrap() - began.min().unwrap();
    assert!(apart < 2 * MS, "{apart} ns apart");
}

#[test]
fn a_card_that_stood_still_is_right_again() {
    let mut cards = three();
    live(&mut cards, 2_000 * MS);
    cards[0].due_ns += 777e6;
    live(&mut cards, 4_000 * MS);
    let at_ns = 4_300 * MS;
    cards.iter_mut().for_each(|it| it.play_at(1, at_ns));
    live(&mut cards, 5_000 * MS);
    let began: Vec<u64> = cards.iter().map(Card::began_ns).collect();
    assert!(began.iter().all(|it| it.abs_diff(at_ns) < 4 * MS), "{began:?}");
}

#[test]
fn what_comes_late_begins_at_once_and_what_is_stopped_before_is_not_heard() {
    let mut cards = three();
    live(&mut cards, 3_000 * MS);
    let [late, stopped, ..] = &mut cards;
    late.play_at(1, 2_000 * MS);
    stopped.play_at(2, 3_500 * MS);
    live(&mut cards, 3_100 * MS);
    cards[1].control.send(Command::Stop(SoundId(2))).ok().unwrap();
    live(&mut cards, 4_000 * MS);
    let [late, stopped, ..] = &mut cards;
    // What waits in the ring is played before.
    assert!(late.began_ns() < 3_000 * MS + late.latency_ns + 50 * MS, "{}", late.began_ns());
    assert!(stopped.heard.is_empty());
    assert_eq!(stopped.control.poll(), Some(Notice::Finished(SoundId(2))));
    assert_eq!(late.control.poll(), Some(Notice::Finished(SoundId(1))));
    assert_eq!(late.heard.len(), 20 * FRAME);
}
