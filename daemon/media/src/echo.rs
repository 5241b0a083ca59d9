//! Echo cancellation: strict for the other party's ears, gentle for the recognizer, which must hear through it.

use crate::apm::{Apm, ApmError, ApmSettings, Suppressor};
use crate::meter::{self, Erle};
use crate::resample::{self, Decimator};
use crate::{EARS_FRAME, EARS_RATE_HZ, FRAME, RATE_HZ};

/// How much less AEC3 may press down for the recognizer than for a caller.
pub const EARS_RELAXED: f32 = 8.0;
/// After so many frames without anything played there is no echo left.
const ECHO_LASTS: u32 = 100;
/// Quieter than this (peak) is silence.
const SILENT: f32 = 1e-5;

/// What is to be done to the microphone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EchoSettings {
    /// Cancel echo.
    pub echo_cancellation: bool,
    /// Suppress steady noise, for calls only.
    pub noise_suppression: bool,
    /// Level the voice, for calls only.
    pub gain_control: bool,
}

impl Default for EchoSettings {
    fn default() -> Self {
        EchoSettings { echo_cancellation: true, noise_suppression: true, gain_control: true }
    }
}

/// Makes what the other party hears: no echo, less noise, an even level.
pub struct ForCall {
    canceller: Option<Apm>,
    leveller: Option<Apm>,
    erle: Erle,
    erle_db: f32,
}

impl ForCall {
    /// Prepares it.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(settings: EchoSettings) -> Result<ForCall, ApmError> {
        let echo = settings.echo_cancellation.then_some(Suppressor::Strict);
        let canceller = match echo.is_some() || settings.noise_suppression {
            true => Some(Apm::new(RATE_HZ, ApmSettings { echo, noise: settings.noise_suppression, gain: false })?),
            false => None,
        };
        // A processor of its own, so that what the canceller took away can be measured before.
        let leveller = match settings.gain_control {
            true => Some(Apm::new(RATE_HZ, ApmSettings { gain: true, ..ApmSettings::default() })?),
            false => None,
        };
        Ok(ForCall { canceller, leveller, erle: Erle::default(), erle_db: 0.0 })
    }

    /// Fills `out` with the near end alone.
    pub fn process(&mut self, microphone: &[f32; FRAME], reference: &[f32; FRAME], out: &mut [f32; FRAME]) {
        out.copy_from_slice(microphone);
        if let Some(apm) = &mut self.canceller {
            apm.played(reference);
            apm.heard(out);
        }
        self.erle_db = self.erle.feed(reference, microphone, out);
        if let Some(apm) = &mut self.leveller {
            apm.heard(out);
        }
    }

    /// How much quieter the echo is now, in dB.
    pub fn erle_db(&self) -> f32 {
        self.erle_db
    }
}

/// Makes what the recognizer hears: echo down, the near end alive. Costs next to nothing while nothing is played.
pub struct ForEars {
    canceller: Option<Apm>,
    microphone: Decimator,
    reference: Decimator,
    high_pass: HighPass,
    silent_for: u32,
    cancelling: bool,
}

impl ForEars {
    /// Prepares it.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(settings: EchoSettings) -> Result<ForEars, ApmError> {
        let echo = Some(Suppressor::Relaxed(EARS_RELAXED));
        let canceller = match settings.echo_cancellation {
            true => Some(Apm::new(EARS_RATE_HZ, ApmSettings { echo, ..ApmSettings::default() })?),
            false => None,
        };
        Ok(ForEars {
            canceller,
            microphone: Decimator::new((RATE_HZ / EARS_RATE_HZ) as usize),
            reference: Decimator::new((RATE_HZ / EARS_RATE_HZ) as usize),
            high_pass: HighPass::default(),
            silent_for: u32::MAX,
            cancelling: false,
        })
    }

    /// Fills `ears` and `played` with the microphone without most of the echo, and with what was played, at 16 kHz.
    pub fn process(
        &mut self,
        microphone: &[f32; FRAME],
        reference: &[f32; FRAME],
        ears: &mut [f32; EARS_FRAME],
        played: &mut [f32; EARS_FRAME],
    ) {
        let silent = reference.iter().all(|it| it.abs() < SILENT);
        self.silent_for = if silent { self.silent_for.saturating_add(1) } else { 0 };
        self.microphone.process(microphone, ears);
        match self.silent_for > 2 {
            true => played.fill(0.0),
            false => self.reference.process(reference, played),
        }
        let wanted = self.silent_for < ECHO_LASTS;
        let mut plain = *ears;
        self.high_pass.process(&mut plain);
        let Some(apm) = self.canceller.as_mut().filter(|_| wanted || self.cancelling) else {
            *ears = plain;
            return;
        };
        apm.played(played);
        apm.heard(ears);
        // Going over takes one frame, so that the recognizer hears no click.
        if wanted != self.cancelling {
            for (n, (sample, plain)) in ears.iter_mut().zip(plain).enumerate() {
                let fade = n as f32 / EARS_FRAME as f32;
                let share = if wanted { fade } else { 1.0 - fade };
                *sample = *sample * share + plain * (1.0 - share);
            }
            self.cancelling = wanted;
        }
    }

    /// Whether the canceller works at the moment.
    pub fn is_cancelling(&self) -> bool {
        self.cancelling
    }
}

/// Takes away rumble and offset below 80 Hz: a second-order Butterworth at 16 kHz.
#[derive(Clone, Copy, Debug, Default)]
struct HighPass {
    x: [f32; 2],
    y: [f32; 2],
}

impl HighPass {
    fn process(&mut self, samples: &mut [f32]) {
        const B: [f32; 3] = [0.978_030_5, -1.956_061, 0.978_030_5];
        const A: [f32; 2] = [-1.955_578_2, 0.956_543_7];
        for sample in samples {
            let y = B[0] * *sample + B[1] * self.x[0] + B[2] * self.x[1] - A[0] * self.y[0] - A[1] * self.y[1];
            self.x = [*sample, self.x[0]];
            self.y = [if y.abs() < 1e-20 { 0.0 } else { y }, self.y[0]];
            *sample = y;
        }
    }
}

/// What [`cancel`] makes of a recording.
pub struct Cancelled {
    /// For the other party.
    pub clean: Vec<f32>,
    /// For the recognizer.
    pub ears: Vec<f32>,
    /// How much quieter what was heard while the far end talked became, in dB, after the first two seconds.
    pub erle_db: f32,
}

/// Cancels the echo of `far` in `microphone`, two recordings that began together, frame by frame as in a call. Without gain control.
///
/// # Errors
/// When there is no memory.
pub fn cancel(microphone: &[f32], far: &[f32], rate_hz: u32) -> Result<Cancelled, ApmError> {
    cancel_with(microphone, far, rate_hz, EchoSettings { gain_control: false, ..EchoSettings::default() }, |_| ())
}

/// Like [`cancel`], with settings, and tells how far it is (0 to 1) now and then.
///
/// # Errors
/// When there is no memory.
pub fn cancel_with(
    microphone: &[f32],
    far: &[f32],
    rate_hz: u32,
    settings: EchoSettings,
    mut progress: impl FnMut(f32),
) -> Result<Cancelled, ApmError> {
    let (mut call, mut hearing) = (ForCall::new(settings)?, ForEars::new(settings)?);
    let length = microphone.len();
    let microphone = resample::convert(microphone, rate_hz, RATE_HZ);
    let mut far = resample::convert(far, rate_hz, RATE_HZ);
    far.resize(microphone.len(), 0.0);
    let (mut clean, mut ears) = (Vec::with_capacity(microphone.len()), Vec::with_capacity(microphone.len() / 3));
    let (mut before, mut after, mut active) = (0.0f64, 0.0f64, 0);
    for (n, (mic, played)) in microphone.chunks(FRAME).zip(far.chunks(FRAME)).enumerate() {
        let (mut m, mut r) = ([0.0; FRAME], [0.0; FRAME]);
        m[..mic.len()].copy_from_slice(mic);
        r[..played.len()].copy_from_slice(played);
        let (mut c, mut e, mut p) = ([0.0; FRAME], [0.0; EARS_FRAME], [0.0; EARS_FRAME]);
        call.process(&m, &r, &mut c);
        hearing.process(&m, &r, &mut e, &mut p);
        active = if meter::power(&r) > 1e-6 { 20 } else { active - active.min(1) };
        if n > 200 && active > 0 {
            before += meter::power(&m) as f64;
            after += meter::power(&c) as f64;
        }
        clean.extend_from_slice(&c);
        ears.extend_from_slice(&e);
        if n % 1000 == 0 {
            progress(n as f32 * FRAME as f32 / microphone.len() as f32);
        }
    }
    let mut clean = resample::convert(&clean, RATE_HZ, rate_hz);
    let mut ears = resample::convert(&ears, EARS_RATE_HZ, rate_hz);
    clean.resize(length, 0.0);
    ears.resize(length, 0.0);
    let erle_db = if before > 0.0 { (10.0 * (before / after.max(1e-12)).log10()) as f32 } else { 0.0 };
    Ok(Cancelled { clean, ears, erle_db })
}
