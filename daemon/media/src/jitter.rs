//! The jitter buffer of one party: packets in, in whatever order they come; 10 ms of sound out, whenever asked.
//!
//! Pure: time is what was pulled so far. It plays each sample as late as the late packets of the last seconds made
//! necessary and no later, by leaving out or repeating pitch periods. What is lost is rebuilt from the next packet
//! (in-band FEC) or concealed.

use crate::FRAME;
use crate::codec::{self, CodecError, Decoder, LONGEST};
use crate::party::{CodecKind, Packet};
use crate::stretch;

/// Packets that can wait; more than a second of 20 ms packets.
const SLOTS: usize = 64;
/// Arrivals that are remembered; five seconds of 20 ms packets.
const ARRIVALS: usize = 256;
/// One in so many packets may come too late.
const LATE_SHARE: usize = 50;
/// What was played is kept, to be carried on.
const HISTORY: usize = 1440;
/// Room for history, two of the longest packets, and stretching.
const PCM: usize = 32_768;
/// The longest silence that is put before a voice that comes back.
const PAD_AT_MOST: i64 = 9600;
/// Nothing is invented for longer than this: then comes silence.
const INVENT_AT_MOST: usize = 9600;
/// Between two stretches of speech, so that it stays natural.
const STRETCH_EVERY: u64 = 3840;
/// More than this too much is not stretched away but cut.
const CUT_BEYOND: i64 = 24_000;
/// Timestamps farther ahead than this belong to another stream (one minute: a long pause).
const FAR: i64 = 60 * 48_000;

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JitterStats {
    /// Packets taken in.
    pub received: u32,
    /// Packets that never came in time.
    pub lost: u32,
    /// Of those, how many FEC brought back.
    pub recovered: u32,
    /// Packets that came when their time was over.
    pub late: u32,
    /// Packets that came twice.
    pub duplicates: u32,
    /// Payloads or numbers that make no sense.
    pub garbage: u32,
    /// 10 ms frames that were invented.
    pub concealed: u32,
    /// Times that a period was left out or repeated.
    pub stretched: u32,
    /// How long the newest packet waits for its turn, in ms.
    pub delay_ms: f32,
    /// How long it would have to, in ms.
    pub target_ms: f32,
    /// Share of packets lost lately, 0 to 1.
    pub loss: f32,
}

/// See the module.
pub struct Jitter {
    kind: CodecKind,
    decoder: Decoder,
    slots: Box<[Option<Packet>; SLOTS]>,
    decoded: Box<[f32; LONGEST]>,
    /// History, then what waits to be played: `pcm[read..write]`.
    pcm: Box<[f32; PCM]>,
    read: usize,
    write: usize,
    /// The packet that follows `pcm`; `None` before the first.
    next: Option<Next>,
    /// Time: samples pulled so far.
    now: i64,
    /// Samples invented since the last real one.
    invented: usize,
    /// For unwrapping timestamps.
    last_timestamp: (u32, i64),
    /// A packet that does not belong here; the one after it decides.
    stray: Option<u16>,
    arrivals: Box<[i64; ARRIVALS]>,
    sorted: Box<[i64; ARRIVALS]>,
    n_arrivals: usize,
    latest_arrival: i64,
    /// The play-out offset that would do.
    wanted: i64,
    duration: usize,
    stretched_at: i64,
    stats: JitterStats,
}

#[derive(Clone, Copy)]
struct Next {
    sequence: u16,
    /// Unwrapped timestamp, in samples.
    time: i64,
}

impl Jitter {
    /// An empty buffer. The only place that allocates.
    ///
    /// # Errors
    /// When the codec cannot be made.
    pub fn new(kind: CodecKind) -> Result<Jitter, CodecError> {
        Ok(Jitter {
            kind,
            decoder: Decoder::new(kind)?,
            slots: Box::new([None; SLOTS]),
            decoded: Box::new([0.0; LONGEST]),
            pcm: Box::new([0.0; PCM]),
            read: HISTORY,
            write: HISTORY,
            next: None,
            now: 0,
            invented: 0,
            last_timestamp: (0, 0),
            stray: None,
            arrivals: Box::new([0; ARRIVALS]),
            sorted: Box::new([0; ARRIVALS]),
            n_arrivals: 0,
            latest_arrival: 0,
            wanted: 0,
            duration: 960,
            stretched_at: 0,
            stats: JitterStats::default(),
        })
    }

    /// What happened so far.
    pub fn stats(&self) -> JitterStats {
        let ms = |samples: i64| samples as f32 / 48.0;
        // In a pause nothing waits.
        let delay = self.offset().filter(|_| self.invented == 0).map_or(0, |it| it - self.latest_arrival);
        JitterStats { delay_ms: ms(delay), target_ms: ms(self.wanted - self.latest_arrival), ..self.stats }
    }

    /// Takes a packet in.
    pub fn insert(&mut self, packet: &Packet) {
        let duration = self.decoder.duration(packet.payload());
        if duration == 0 {
            self.stats.garbage += 1;
            return;
        }
        let Some(next) = self.next else { return self.begin(packet, duration) };
        let ahead = packet.sequence.wrapping_sub(next.sequence) as i16;
        let time = self.unwrap(packet.timestamp);
        let later = time - next.time;
        let in_order = if ahead >= 0 { later > -(LONGEST as i64) } else { later < 0 };
        let belongs = (-200..200).contains(&ahead) && (-FAR..FAR).contains(&later) && in_order;
        if !belongs {
            match self.stray.replace(packet.sequence) {
                Some(before) if packet.sequence == before.wrapping_add(1) => self.begin(packet, duration),
                _ => self.stats.garbage += 1,
            }
            return;
        }
        self.stray = None;
        if ahead >= SLOTS as i16 {
            // So much is missing that what still waits is of no use.
            return self.begin(packet, duration);
        }
        let slot = &mut self.slots[packet.sequence as usize % SLOTS];
        if slot.as_ref().is_some_and(|it| it.sequence == packet.sequence) {
            self.stats.duplicates += 1;
            return;
        }
        self.note_arrival(time);
        if ahead < 0 {
            self.stats.late += 1;
            return;
        }
        self.slots[packet.sequence as usize % SLOTS] = Some(*packet);
        self.last_timestamp = (packet.timestamp, time);
        self.duration = duration;
        self.stats.received += 1;
    }

    /// Fills `out` with the next 10 ms. Returns false when nobody is talking: before the first packet, and in long gaps.
    pub fn pull(&mut self, out: &mut [f32; FRAME]) -> bool {
        self.make_room();
        while self.waiting() < FRAME {
            self.grow();
        }
        self.adapt();
        out.copy_from_slice(&self.pcm[self.read..self.read + FRAME]);
        self.read += FRAME;
        self.now += FRAME as i64;
        self.next.is_some() && !self.silent()
    }

    fn waiting(&self) -> usize {
        self.write - self.read
    }

    fn silent(&self) -> bool {
        self.invented >= INVENT_AT_MOST
    }

    /// When a sample plays, less its timestamp; the packet for it must have come by then.
    fn offset(&self) -> Option<i64> {
        self.next.map(|next| self.now + self.waiting() as i64 - next.time)
    }

    fn unwrap(&self, timestamp: u32) -> i64 {
        let (last, time) = self.last_timestamp;
        time + timestamp.wrapping_sub(last) as i32 as i64 * codec::samples_per_tick(self.kind) as i64
    }

    /// A stream begins, or begins anew.
    fn begin(&mut self, packet: &Packet, duration: usize) {
        self.slots.fill(None);
        self.stray = None;
        self.n_arrivals = 0;
        self.last_timestamp = (packet.timestamp, 0);
        self.note_arrival(0);
        self.next = Some(Next { sequence: packet.sequence, time: 0 });
        self.slots[packet.sequence as usize % SLOTS] = Some(*packet);
        self.duration = duration;
        self.decoder.reset();
        self.stats.received += 1;
        self.resume(0);
    }

    /// Remembers when a packet came, and works out how late play-out must be for nearly all of them.
    fn note_arrival(&mut self, time: i64) {
        self.latest_arrival = self.now - time;
        self.arrivals[self.n_arrivals % ARRIVALS] = self.latest_arrival;
        self.n_arrivals += 1;
        let n = self.n_arrivals.min(ARRIVALS);
        let sorted = &mut self.sorted[..n];
        sorted.copy_from_slice(&self.arrivals[..n]);
        let (_, late, _) = sorted.select_nth_unstable(n - 1 - n / LATE_SHARE);
        // Little is known of a young stream; and FEC needs the packet after the lost one.
        let caution = if self.n_arrivals < 100 { FRAME } else { 0 };
        let for_fec = if self.stats.loss > 0.01 && self.kind == CodecKind::Opus { self.duration.min(960) } else { 0 };
        self.wanted = *late + (caution + for_fec) as i64;
    }

    /// Goes on with the sample of `time` after a pause: just as late as is wanted.
    fn resume(&mut self, time: i64) {
        if let Some(next) = &mut self.next {
            next.time = time;
        }
        let early = self.wanted - self.offset().unwrap_or(self.wanted);
        let pad = early.clamp(0, PAD_AT_MOST) as usize;
        self.pcm[self.write..self.write + pad].fill(0.0);
        self.write += pad;
        self.invented = 0;
    }

    /// Makes at least a little more sound, of what is there.
    fn grow(&mut self) {
        let Some(next) = self.next else { return self.append_silence() };
        let found = (0..SLOTS as u16).find(|ahead| self.slot(next.sequence.wrapping_add(*ahead)).is_some());
        let Some(ahead) = found else { return self.invent() };
        let sequence = next.sequence.wrapping_add(ahead);
        let Some(packet) = *self.slot(sequence) else { return self.invent() };
        let time = self.unwrap(packet.timestamp);
        if ahead == 0 || self.silent() {
            *self.slot(sequence) = None;
            self.next = Some(Next { sequence, time: next.time });
            let gap = time - next.time;
            // Ours is a gap that the sender made (DTX, hold), or one that we long gave up on.
            if gap != 0 || self.silent() {
                self.resume(time);
            }
            return self.play(&packet, time);
        }
        // The one that is due did not come, though a later one did.
        let lost = ((time - next.time) / ahead as i64).clamp(FRAME as i64, LONGEST as i64 / 2) as usize;
        self.next = Some(Next { sequence: next.sequence.wrapping_add(1), time: next.time + lost as i64 });
        self.stats.lost += 1;
        self.stats.loss += (1.0 - self.stats.loss) * 0.02;
        if self.invented >= lost {
            self.invented -= lost;
            return;
        }
        let n = if ahead == 1 { self.decoder.recover(packet.payload(), lost, &mut self.decoded) } else { 0 };
        if n > 0 {
            self.stats.recovered += 1;
            self.append(n);
            self.invented = 0;
            return;
        }
        for _ in 0..lost.saturating_sub(self.invented).div_ceil(FRAME) {
            self.invent();
        }
        self.invented = self.invented.saturating_sub(lost);
    }

    fn slot(&mut self, sequence: u16) -> &mut Option<Packet> {
        let slot = &mut self.slots[sequence as usize % SLOTS];
        if slot.as_ref().is_some_and(|it| it.sequence != sequence) {
            *slot = None;
        }
        slot
    }

    fn play(&mut self, packet: &Packet, time: i64) {
        let n = self.decoder.decode(packet.payload(), &mut self.decoded);
        self.stats.loss *= 0.98;
        let sequence = packet.sequence.wrapping_add(1);
        if n == 0 {
            self.stats.garbage += 1;
            self.next = Some(Next { sequence, time: time + FRAME as i64 });
            return self.invent();
        }
        self.next = Some(Next { sequence, time: time + n as i64 });
        if self.invented > 0 && self.kind != CodecKind::Opus {
            // Our own invention must fade into what really was said; libopus does that by itself.
            let mut going_on = [0.0; 240];
            stretch::carry_on(&self.pcm[..self.write], &mut going_on);
            for (n, (sample, old)) in self.decoded.iter_mut().zip(going_on).enumerate() {
                let fade = n as f32 / 240.0;
                *sample = *sample * fade + old * (1.0 - fade);
            }
        }
        self.invented = 0;
        self.append(n);
    }

    fn append(&mut self, n: usize) {
        self.pcm[self.write..self.write + n].copy_from_slice(&self.decoded[..n]);
        self.write += n;
    }

    fn append_silence(&mut self) {
        self.pcm[self.write..self.write + FRAME].fill(0.0);
        self.write += FRAME;
    }

    /// Adds 10 ms that sound as if the speaker went on.
    fn invent(&mut self) {
        if self.silent() {
            return self.append_silence();
        }
        self.stats.concealed += 1;
        let n = self.decoder.conceal(&mut self.decoded);
        if n == 0 {
            stretch::carry_on(&self.pcm[..self.write], &mut self.decoded[..FRAME]);
            // Full for 20 ms, gone after 60.
            let gain = |at: usize| (1.0 - (at as f32 - 960.0) / 1920.0).clamp(0.0, 1.0);
            let (before, step) = (gain(self.invented).max(1e-3), gain(self.invented + FRAME));
            for (n, sample) in self.decoded[..FRAME].iter_mut().enumerate() {
                let wanted = before + (step - before) * n as f32 / FRAME as f32;
                *sample *= wanted / before;
            }
        }
        self.append(FRAME);
        self.invented += FRAME;
    }

    /// Brings play-out nearer to what is wanted, by a pitch period.
    fn adapt(&mut self) {
        let Some(offset) = self.offset() else { return };
        let excess = offset - self.wanted;
        if self.silent() {
            return;
        }
        if excess > CUT_BEYOND {
            return self.cut(excess);
        }
        if self.now - self.stretched_at < STRETCH_EVERY as i64 {
            return;
        }
        let change = if excess >= stretch::LONGEST as i64 {
            let due = self.next.map(|it| it.sequence);
            if self.waiting() < stretch::NEEDED && due.is_some_and(|it| self.slot(it).is_some()) {
                self.grow();
            }
            let cut = stretch::shorten(&mut self.pcm[self.read..self.write]);
            self.write -= cut;
            cut
        } else if excess <= -(FRAME as i64) / 2 && self.invented == 0 {
            let len = self.waiting();
            let more = stretch::lengthen(&mut self.pcm[self.read..], len);
            self.write += more;
            more
        } else {
            0
        };
        if change > 0 {
            self.stats.stretched += 1;
            self.stretched_at = self.now;
        }
    }

    /// Skips what is far too old to be worth hearing.
    fn cut(&mut self, excess: i64) {
        let Some(next) = self.next else { return };
        let n_packets = (excess / self.duration as i64) as u16;
        for n in 0..n_packets.min(SLOTS as u16) {
            *self.slot(next.sequence.wrapping_add(n)) = None;
        }
        self.next = Some(Next {
            sequence: next.sequence.wrapping_add(n_packets),
            time: next.time + n_packets as i64 * self.duration as i64,
        });
    }

    /// Moves what waits, and the history before it, to the front.
    fn make_room(&mut self) {
        if self.write + PAD_AT_MOST as usize + 2 * LONGEST + 2 * FRAME <= PCM {
            return;
        }
        let start = self.read - HISTORY;
        self.pcm.copy_within(start..self.write, 0);
        self.read -= start;
        self.write -= start;
    }
}
