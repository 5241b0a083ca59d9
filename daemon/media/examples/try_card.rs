use media::card::*;
use media::engine::*;
use media::order::*;
use media::party::*;
use media::{clip, tone};
use std::sync::atomic::Ordering::Relaxed;
fn main() {
    for d in devices().unwrap() {
        println!("{d:?}");
    }
    let (card, rings) =
        Card::open(&CardSettings { host: std::env::args().nth(1).unwrap_or("auto".into()), ..Default::default() }).unwrap();
    println!("{} {:?}", card.description(), card.state());
    let counters = rings.counters.clone();
    let (mut e, mut ears) = Engine::start(rings, EngineSettings::default()).unwrap();
    let stats = e.stats();
    let cpu = || {
        let mut t: libc::timespec = unsafe { std::mem::zeroed() };
        unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
        t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
    };
    let mut step = |e: &mut Engine, secs: u64, name: &str, end: &mut Option<PartyEnd>| {
        let c0 = cpu();
        let t0 = std::time::Instant::now();
        let f0 = stats.frames.load(Relaxed);
        while t0.elapsed().as_secs() < secs {
            std::thread::sleep(std::time::Duration::from_millis(5));
            let n = ears.slots();
            ears.read_chunk(n).unwrap().commit_all();
            while e.poll().is_some() {}
            if let Some(end) = end {
                while let Ok(p) = end.uplink.pop() {
                    let _ = end.downlink.push(p);
                }
            }
        }
        let s = &stats;
        println!(
            "{name}: cpu {:.2} % frames {} fwc {} xruns {} (under {} over {} card {}) state {:?} cap {:.0} ren {:.0} erle {:.1} holes {} resync {} ppm {} refwait {:.1} up {:.1} down {:.1} jit {:.1} wait {:.1} frame {:.0}/{:.0} us rt {} period {} conc {}",
            (cpu() - c0) / t0.elapsed().as_secs_f64() * 100.0,
            s.frames.load(Relaxed) - f0,
            s.frames_without_card.load(Relaxed),
            s.xruns.load(Relaxed),
            counters.underruns.load(Relaxed),
            counters.overruns.load(Relaxed),
            counters.card_xruns.load(Relaxed),
            card.state(),
            s.capture_level.get(),
            s.render_level.get(),
            s.erle_db.get(),
            s.reference_holes.load(Relaxed),
            s.resyncs.load(Relaxed),
            s.drift_ppm.get(),
            s.stream_delay_ms.get(),
            s.uplink_delay_mean_ms.get(),
            s.downlink_delay_mean_ms.get(),
            s.jitter_delay_ms.get(),
            s.render_wait_ms.get(),
            s.frame_us.get(),
            s.frame_us_max.get(),
            s.realtime.load(Relaxed),
            counters.period.load(Relaxed),
            s.frames_concealed.load(Relaxed)
        );
    };
    let mut none = None;
    step(&mut e, 8, "idle", &mut none);
    let _ = e.send(Command::Play { id: SoundId(1), bus: Bus::Ring, source: tone::ring() });
    step(&mut e, 8, "ring", &mut none);
    let _ = e.send(Command::Stop(SoundId(1)));
    let (p, end) = party(PartyId(1), CodecKind::Opus).unwrap();
    let _ = e.send(Command::Join(p));
    let _ = e.send(Command::OpenMic(PartyId(1)));
    let mut end = Some(end);
    let _ = clip::from_samples(&[0.0], 48000);
    step(&mut e, 10, "call", &mut end);
    let _ = e.send(Command::Leave(PartyId(1)));
    let n = std::env::args().nth(2).and_then(|x| x.parse().ok()).unwrap_or(0);
    for _ in 0..n {
        step(&mut e, 3, "after", &mut none);
    }
}
