//! The sound thread's law: once running, no heap. Everything that a frame does is run here under a counting allocator.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use media::engine::{Core, EngineSettings, Runner};
use media::order::{Bus, Command, SoundId, Tap};
use media::party::{CodecKind, PartyEnd, PartyId, party};
use media::ring::{CaptureEnd, PlaybackEnd, card};
use media::{FRAME, clip, tone};

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static TOUCHED: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

fn touch() {
    // A thread that is ending has no counters any more, and is not watched.
    let _ = WATCHED.try_with(|watched| {
        if watched.get() {
            let _ = TOUCHED.try_with(|it| it.set(it.get() + 1));
        }
    });
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        touch();
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        touch();
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        touch();
        // SAFETY: as the caller promised.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How often `work` touched the heap.
fn watched(work: impl FnOnce()) -> usize {
    TOUCHED.set(0);
    WATCHED.set(true);
    work();
    WATCHED.set(false);
    TOUCHED.get()
}

/// The far end: what we send comes back to us, with a loss now and then, and garbage.
fn echo_back(end: &mut PartyEnd, n: usize) {
    while let Ok(mut packet) = end.uplink.pop() {
        packet.data[0] ^= if n.is_multiple_of(101) { 0xff } else { 0 };
        if !n.is_multiple_of(37) {
            let _ = end.downlink.push(packet);
        }
    }
}

fn callbacks(capture: &mut CaptureEnd, playback: &mut PlaybackEnd, voice: &[f32], n: usize) {
    let mut out = [0.0; FRAME];
    // Late and doubled callbacks, too.
    let times = [1, 1, 1, 0, 2][n % 5];
    for _ in 0..times {
        playback.leaves_at(media::ring::monotonic_ns());
        playback.fill(&mut out);
    }
    let at = n * FRAME % (voice.len() - FRAME);
    capture.push(voice[at..at + FRAME].iter().zip(&out).map(|(near, far)| near + 0.3 * far));
}

fn scene(capture_hz: u32) {
    let (mut rings, mut capture, mut playback) = card(capture_hz, capture_hz).unwrap();
    let (core, mut control, mut ears) = Core::new(EngineSettings::default()).unwrap();
    let mut runner = Runner::new(core);
    let voice = common::babble(5, 7.0, 48_000);
    let prompt = clip::from_samples(&voice[..48_000], 22_050);
    let prompt: Vec<f32> = prompt.collect();
    let mut ends: Vec<PartyEnd> = Vec::new();
    let (mut taps, mut touched_in, mut finished) = (Vec::new(), Vec::new(), 0);
    for n in 0..6000usize {
        // The world, with all the heap it likes.
        if n % 500 == 100 {
            let kind = [CodecKind::Opus, CodecKind::Pcma, CodecKind::Pcmu][n / 500 % 3];
            let (ours, theirs) = party(PartyId(n as u64), kind).unwrap();
            ends.push(theirs);
            control.send(Command::Join(ours)).ok().unwrap();
            control.send(Command::OpenMic(PartyId(n as u64))).ok().unwrap();
            let (tap, tapped) = rtrb::RingBuffer::new(96_000);
            taps.push(tapped);
            control.send(Command::Tap(Tap::PartyDown(PartyId(n as u64)), Some(tap))).ok().unwrap();
            control.send(Command::Tap(Tap::Render, Some(rtrb::RingBuffer::new(4_800).0))).ok().unwrap();
        }
        if n % 500 == 200 {
            // The last three are in conference.
            control.send(Command::Bridge(PartyId((n - 100) as u64))).ok().unwrap();
            control.send(Command::Unbridge(PartyId((n.saturating_sub(1600)) as u64))).ok().unwrap();
        }
        if n % 500 == 400 && n > 1000 {
            control.send(Command::Leave(PartyId((n - 1300) as u64))).ok().unwrap();
        }
        if n % 90 == 7 {
            let id = SoundId(n as u32);
            let source = if n % 180 == 7 { tone::ringback(tone::Region::America) } else { clip::from_samples(&prompt, 48_000) };
            let play = match n % 270 {
                7 => Command::PlayAt { id, bus: Bus::Announce, source, at_ns: media::ring::monotonic_ns() + 200_000 },
                _ => Command::Play { id, bus: Bus::Announce, source },
            };
            control.send(play).ok().unwrap();
            control.send(Command::Duck(Bus::Call, 0.2)).ok().unwrap();
        }
        if n % 90 == 60 {
            control.send(Command::StopBus(Bus::Announce)).ok().unwrap();
            control.send(Command::Unduck(Bus::Call)).ok().unwrap();
        }
        ends.iter_mut().for_each(|it| echo_back(it, n));
        // The card and the engine, with none.
        let touched = watched(|| {
            callbacks(&mut capture, &mut playback, &voice, n);
            runner.turn(&mut rings);
        });
        if touched > 0 {
            touched_in.push((n, touched));
        }
        let ready = ears.slots();
        ears.read_chunk(ready).unwrap().commit_all();
        while control.poll().is_some() {
            finished += 1;
        }
    }
    assert!(touched_in.is_empty(), "(frame, times): {touched_in:?}");
    let stats = control.stats();
    assert!(finished > 60, "{finished}");
    assert!(stats.frames.load(std::sync::atomic::Ordering::Relaxed) > 4000);
    assert!(stats.packets_received.load(std::sync::atomic::Ordering::Relaxed) > 1000, "{stats:?}");
}

#[test]
fn nothing_in_a_frame_touches_the_heap() {
    scene(48_000);
}

#[test]
fn neither_does_a_card_of_another_rate() {
    scene(44_100);
}
