//! One WebRTC audio processing module (AEC3, noise suppression, gain control), as a small safe struct.
//!
//! The canceller's tuning is that of `webrtc-audio-processing`; its `Processor` however allocates in every frame, which the sound thread
//! may not, so frames go straight to the library beneath it. A test holds the two against one another.

use std::ptr::NonNull;

use webrtc_audio_processing::experimental::EchoCanceller3Config;
use webrtc_audio_processing_sys as ffi;

/// What an [`Apm`] shall do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ApmSettings {
    /// Cancel echo, and how.
    pub echo: Option<Suppressor>,
    /// Suppress steady noise.
    pub noise: bool,
    /// Bring speech to an even level.
    pub gain: bool,
}

/// How hard AEC3's suppressor presses down what its filter left over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Suppressor {
    /// As tuned for calls: no echo must be left, whatever it costs the near end.
    Strict,
    /// The near end must live: what is pressed down starts at so many times the strict limits.
    Relaxed(f32),
}

/// WebRTC could not make a processor.
#[derive(Debug, thiserror::Error)]
#[error("cannot prepare echo cancellation (WebRTC error {0}); is there enough memory?")]
pub struct ApmError(i32);

/// Works on frames of exactly 10 ms.
pub struct Apm {
    inner: NonNull<ffi::AudioProcessing>,
    format: ffi::StreamConfig,
    frame: usize,
}

// SAFETY: the C++ object may be used from any thread, one at a time; `&mut self` sees to that.
unsafe impl Send for Apm {}

impl Apm {
    /// A processor at `rate_hz` (16000 or 48000).
    ///
    /// # Errors
    /// When WebRTC refuses, which means no memory.
    pub fn new(rate_hz: u32, settings: ApmSettings) -> Result<Apm, ApmError> {
        let mut code = 0;
        let mut aec3 = EchoCanceller3Config::default();
        tune(&mut aec3, settings.echo);
        aec3.validate();
        // SAFETY: `aec3` and `code` outlive the call, which copies what it needs.
        let inner = unsafe { ffi::create_audio_processing(&raw mut *aec3, &raw mut code) };
        let inner = NonNull::new(inner).ok_or(ApmError(code))?;
        let apm = Apm { inner, format: ffi::StreamConfig::new(rate_hz, 1), frame: rate_hz as usize / 100 };
        let config = configuration(settings);
        // SAFETY: `inner` was just made and lives as long as `apm`.
        unsafe { ffi::set_config(apm.inner.as_ptr(), &config) };
        Ok(apm)
    }

    /// Shows what was played during a frame. Silence must be shown too.
    pub fn played(&mut self, frame: &[f32]) {
        assert_eq!(frame.len(), self.frame);
        let channel = frame.as_ptr();
        // SAFETY: one channel of `self.frame` samples, as `format` says; it is only read.
        unsafe { ffi::analyze_render_frame(self.inner.as_ptr(), &self.format, &channel) };
    }

    /// Processes what the microphone heard during the same frame, in place.
    pub fn heard(&mut self, frame: &mut [f32]) {
        assert_eq!(frame.len(), self.frame);
        let channel = frame.as_mut_ptr();
        // SAFETY: one channel of `self.frame` samples, as `format` says, ours alone.
        unsafe { ffi::process_capture_frame(self.inner.as_ptr(), &self.format, &channel) };
    }

    /// Forgets the room.
    pub fn reset(&mut self) {
        // SAFETY: `inner` lives as long as `self`.
        unsafe { ffi::initialize(self.inner.as_ptr()) };
    }
}

impl Drop for Apm {
    fn drop(&mut self) {
        // SAFETY: made by `create_audio_processing`, deleted once.
        unsafe { ffi::delete_audio_processing(self.inner.as_ptr()) };
    }
}

fn tune(aec3: &mut EchoCanceller3Config, suppressor: Option<Suppressor>) {
    let Some(Suppressor::Relaxed(times)) = suppressor else { return };
    let suppressor = &mut aec3.suppressor;
    for tuning in [&mut suppressor.normal_tuning, &mut suppressor.nearend_tuning] {
        for mask in [&mut tuning.mask_lf, &mut tuning.mask_hf] {
            mask.enr_transparent *= times;
            mask.enr_suppress *= times;
            mask.emr_transparent *= times;
        }
    }
}

fn configuration(settings: ApmSettings) -> ffi::AudioProcessing_Config {
    let mut config = ffi::AudioProcessing_Config::default();
    config.pipeline.maximum_internal_processing_rate = 48_000;
    config.pipeline.capture_downmix_method = ffi::AudioProcessing_Config_Pipeline_DownmixMethod_kAverageChannels;
    config.high_pass_filter.enabled = settings.echo.is_some() || settings.noise;
    config.high_pass_filter.apply_in_full_band = true;
    config.echo_canceller.enabled = settings.echo.is_some();
    config.noise_suppression.enabled = settings.noise;
    config.noise_suppression.level = ffi::AudioProcessing_Config_NoiseSuppression_Level_kModerate;
    if settings.gain {
        let agc = &mut config.gain_controller2;
        agc.enabled = true;
        agc.adaptive_digital.enabled = true;
        agc.adaptive_digital.headroom_db = 6.0;
        agc.adaptive_digital.max_gain_db = 24.0;
        agc.adaptive_digital.initial_gain_db = 6.0;
        agc.adaptive_digital.max_gain_change_db_per_second = 6.0;
        agc.adaptive_digital.max_output_noise_level_dbfs = -50.0;
    }
    config
}

#[cfg(test)]
mod tests {
    use webrtc_audio_processing::Processor;
    use webrtc_audio_processing::config::{Config, EchoCanceller, HighPassFilter, NoiseSuppression, NoiseSuppressionLevel};

    use super::*;
    use crate::FRAME;

    #[test]
    fn it_does_what_the_wrapper_does_without_its_heap() {
        let theirs = Processor::new(48_000).unwrap();
        theirs.set_config(Config {
            high_pass_filter: Some(HighPassFilter { apply_in_full_band: true }),
            echo_canceller: Some(EchoCanceller::Full { stream_delay_ms: None }),
            noise_suppression: Some(NoiseSuppression {
                level: NoiseSuppressionLevel::Moderate,
                analyze_linear_aec_output: false,
            }),
            ..Config::default()
        });
        let mut ours = Apm::new(48_000, ApmSettings { echo: Some(Suppressor::Strict), noise: true, gain: false }).unwrap();
        let mut state = 1u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 33_554_432.0 - 0.25
        };
        let mut echo = vec![0.0; FRAME];
        for _ in 0..200 {
            let played: Vec<f32> = (0..FRAME).map(|_| noise()).collect();
            let mut heard = echo;
            let mut heard_too = heard.clone();
            ours.played(&played);
            theirs.analyze_render_frame([&played[..]]).unwrap();
            ours.heard(&mut heard);
            theirs.process_capture_frame([&mut heard_too[..]]).unwrap();
            assert_eq!(heard, heard_too);
            echo = played.iter().map(|s| s * 0.5).collect();
        }
    }
}
