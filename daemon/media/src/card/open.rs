//! How a card is opened: which host, which format, and streams whose callbacks give the ring ends back when they end.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::time::Duration;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{BufferSize, Device, Error, ErrorKind, FromSample, SampleFormat, SizedSample, Stream, StreamConfig};

use super::{CardError, CardSettings, HOSTS, find, pulse};
use crate::RATE_HZ;
use crate::ring::{CaptureEnd, Counters, PlaybackEnd, monotonic_ns};

pub const MICROPHONE: &str = "microphone";
pub const LOUDSPEAKER: &str = "loudspeaker";

/// How long a sound server may take to make a stream.
const BUILD_WITHIN: Option<Duration> = Some(Duration::from_secs(3));
/// Rates in the order of preference; the first is the engine's.
const RATES: [u32; 8] = [RATE_HZ, 96_000, 192_000, 44_100, 88_200, 32_000, 24_000, 16_000];
/// The most channels that a callback takes at once.
const CHUNK: usize = 512;

/// What a device is called.
pub fn name(device: &Device) -> String {
    device.description().map_or_else(|_| device.to_string(), |it| it.name().to_owned())
}

/// Which devices, and in which formats to try them.
pub struct Plan {
    host: &'static str,
    input: Device,
    output: Device,
    input_formats: Vec<Format>,
    output_formats: Vec<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Format {
    rate_hz: u32,
    channels: u16,
    sample: SampleFormat,
    frames: u32,
}

impl Plan {
    pub fn make(settings: &CardSettings) -> Result<Plan, CardError> {
        let mut last = CardError::UnknownHost { wanted: settings.host.clone() };
        for (name, id) in HOSTS.into_iter().filter(|(name, _)| settings.host == "auto" || settings.host == *name) {
            let made = cpal::host_from_id(id)
                .map_err(|error| CardError::NoHost { host: name.into(), why: error.to_string() })
                .and_then(|host| Plan::on(name, &host, settings));
            match made {
                Ok(plan) => return Ok(plan),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn on(host_name: &'static str, host: &cpal::Host, settings: &CardSettings) -> Result<Plan, CardError> {
        let input = find(host, MICROPHONE, settings.input.as_deref())?;
        let output = find(host, LOUDSPEAKER, settings.output.as_deref())?;
        let cannot = |what, device: &Device, why: String| CardError::CannotOpen { what, name: name(device), why };
        let ranges = input.supported_input_configs().map_err(|it| cannot(MICROPHONE, &input, it.to_string()))?;
        let input_formats =
            formats(ranges.map(|it| (it.min_sample_rate(), it.max_sample_rate(), it.channels(), it.sample_format())));
        let ranges = output.supported_output_configs().map_err(|it| cannot(LOUDSPEAKER, &output, it.to_string()))?;
        let output_formats =
            formats(ranges.map(|it| (it.min_sample_rate(), it.max_sample_rate(), it.channels(), it.sample_format())));
        for (what, device, formats) in [(MICROPHONE, &input, &input_formats), (LOUDSPEAKER, &output, &output_formats)] {
            if formats.is_empty() {
                return Err(cannot(what, device, "it offers no format that can be used".into()));
            }
        }
        Ok(Plan { host: host_name, input, output, input_formats, output_formats })
    }

    /// The rates of microphone and loudspeaker.
    pub fn rates(&self) -> (u32, u32) {
        (self.input_formats[0].rate_hz, self.output_formats[0].rate_hz)
    }

    pub fn host(&self) -> &'static str {
        self.host
    }

    pub fn description(&self) -> String {
        format!("{}: microphone `{}`, loudspeaker `{}`", self.host, name(&self.input), name(&self.output))
    }
}

/// The formats to try, best first, all of one rate: few channels, float, and the buffer of 10 ms, always a fixed one.
fn formats(ranges: impl Iterator<Item = (u32, u32, u16, SampleFormat)>) -> Vec<Format> {
    let ranges: Vec<_> = ranges.collect();
    let offered = |rate: u32| ranges.iter().any(|it| (it.0..=it.1).contains(&rate));
    let Some(rate_hz) = RATES.into_iter().find(|it| offered(*it)) else { return Vec::new() };
    let mut found = Vec::new();
    for &(min, max, channels, sample) in &ranges {
        let rank = match sample {
            SampleFormat::F32 => 0,
            SampleFormat::I16 => 1,
            SampleFormat::I32 => 2,
            _ => continue,
        };
        if (min..=max).contains(&rate_hz) && (1..=32).contains(&channels) {
            found.push((channels.max(1), rank, sample));
        }
    }
    found.sort_by_key(|it| (it.0, it.1));
    found.dedup();
    let ten_ms = rate_hz / 100;
    let buffers = [ten_ms, 512 * rate_hz / RATE_HZ, 2 * ten_ms, 1024, 2048];
    let candidates = found
        .iter()
        .take(4)
        .flat_map(|(channels, _, sample)| buffers.map(|frames| Format { rate_hz, channels: *channels, sample: *sample, frames }));
    candidates.collect()
}

/// Both streams. Dropping them closes the card.
#[allow(dead_code, reason = "only there to be dropped")]
pub enum Streams {
    /// Two streams of cpal.
    Cpal { capture: Stream, playback: Stream },
    /// Our own connection to PulseAudio, see there.
    Pulse(pulse::Link),
}

/// The rings' ends, here or in a callback.
pub struct Ends {
    capture: (mpsc::SyncSender<CaptureEnd>, mpsc::Receiver<CaptureEnd>),
    playback: (mpsc::SyncSender<PlaybackEnd>, mpsc::Receiver<PlaybackEnd>),
}

/// Lent to a callback; comes home when the callback is dropped.
pub struct Lent<T> {
    pub it: Option<T>,
    home: mpsc::SyncSender<T>,
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        if let Some(it) = self.it.take() {
            // Nobody is at home any more: then nobody needs it.
            let _ = self.home.send(it);
        }
    }
}

impl Ends {
    pub fn new(capture: CaptureEnd, playback: PlaybackEnd) -> Ends {
        let ends = Ends { capture: mpsc::sync_channel(1), playback: mpsc::sync_channel(1) };
        // Both receivers are right here.
        let _ = (ends.capture.0.send(capture), ends.playback.0.send(playback));
        ends
    }

    /// Opens both streams in the first format that works.
    pub fn open(
        &mut self,
        plan: &Plan,
        counters: &Arc<Counters>,
        on_lost: impl Fn() + Clone + Send + 'static,
    ) -> Result<Streams, CardError> {
        if plan.host == "pulseaudio"
            && let (Ok(input), Ok(output)) = (plan.input.id(), plan.output.id())
            && let (Ok(capture), Ok(playback)) = (lend(&self.capture), lend(&self.playback))
            && let Ok(link) = pulse::open(input.id(), output.id(), capture, playback, counters.clone(), on_lost.clone())
        {
            return Ok(Streams::Pulse(link));
        }
        let playback = first_that_works(LOUDSPEAKER, &plan.output, &plan.output_formats, |format| {
            let lent = lend(&self.playback)?;
            let on_error = on_error(counters.clone(), on_lost.clone());
            match format.sample {
                SampleFormat::I16 => play::<i16>(&plan.output, format, lent, on_error),
                SampleFormat::I32 => play::<i32>(&plan.output, format, lent, on_error),
                _ => play::<f32>(&plan.output, format, lent, on_error),
            }
        })?;
        let capture = first_that_works(MICROPHONE, &plan.input, &plan.input_formats, |format| {
            let lent = lend(&self.capture)?;
            let on_error = on_error(counters.clone(), on_lost.clone());
            match format.sample {
                SampleFormat::I16 => record::<i16>(&plan.input, format, lent, on_error),
                SampleFormat::I32 => record::<i32>(&plan.input, format, lent, on_error),
                _ => record::<f32>(&plan.input, format, lent, on_error),
            }
        })?;
        Ok(Streams::Cpal { capture, playback })
    }
}

/// Waits a little: a stream that was just dropped may still be giving its end back.
fn lend<T>(place: &(mpsc::SyncSender<T>, mpsc::Receiver<T>)) -> Result<Lent<T>, Error> {
    match place.1.recv_timeout(Duration::from_secs(2)) {
        Ok(it) => Ok(Lent { it: Some(it), home: place.0.clone() }),
        Err(_) => Err(Error::with_message(ErrorKind::DeviceBusy, "the last stream has not ended yet")),
    }
}

fn first_that_works(
    what: &'static str,
    device: &Device,
    formats: &[Format],
    open: impl Fn(Format) -> Result<Stream, Error>,
) -> Result<Stream, CardError> {
    let mut last = String::new();
    for format in formats {
        match open(*format).and_then(|stream| stream.play().map(|()| stream)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error.to_string(),
        }
    }
    Err(CardError::CannotOpen { what, name: name(device), why: last })
}

fn config(format: Format) -> StreamConfig {
    // Always fixed: the default of PulseAudio is two seconds.
    StreamConfig { channels: format.channels, sample_rate: format.rate_hz, buffer_size: BufferSize::Fixed(format.frames) }
}

fn on_error(counters: Arc<Counters>, on_lost: impl Fn() + Send + 'static) -> impl FnMut(Error) + Send + 'static {
    move |error| match error.kind() {
        ErrorKind::Xrun => {
            counters.card_xruns.fetch_add(1, Relaxed);
        }
        ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged => (),
        _ => on_lost(),
    }
}

/// Plays what the ring holds, the same on every channel.
fn play<T: SizedSample + FromSample<f32>>(
    device: &Device,
    format: Format,
    mut lent: Lent<PlaybackEnd>,
    on_error: impl FnMut(Error) + Send + 'static,
) -> Result<Stream, Error> {
    let channels = format.channels as usize;
    let callback = move |out: &mut [T], info: &cpal::OutputCallbackInfo| {
        let Some(end) = &mut lent.it else { return };
        let moments = info.timestamp();
        end.leaves_at(monotonic_ns() + moments.playback.duration_since(moments.callback).as_nanos() as u64);
        let mut mono = [0.0f32; CHUNK];
        for part in out.chunks_mut(CHUNK * channels) {
            let mono = &mut mono[..part.len() / channels];
            end.fill(mono);
            for (frame, sample) in part.chunks_mut(channels).zip(mono) {
                frame.fill(T::from_sample(*sample));
            }
        }
    };
    device.build_output_stream::<T, _, _>(config(format), callback, on_error, BUILD_WITHIN)
}

/// Hands what the microphone hears to the ring, the mean of all channels.
fn record<T: SizedSample>(
    device: &Device,
    format: Format,
    mut lent: Lent<CaptureEnd>,
    on_error: impl FnMut(Error) + Send + 'static,
) -> Result<Stream, Error>
where
    f32: FromSample<T>,
{
    let channels = format.channels as usize;
    let callback = move |input: &[T], _: &cpal::InputCallbackInfo| {
        let Some(end) = &mut lent.it else { return };
        let mean = |frame: &[T]| frame.iter().map(|it| f32::from_sample_(*it)).sum::<f32>() / channels as f32;
        end.push(input.chunks_exact(channels).map(mean));
    };
    device.build_input_stream::<T, _, _>(config(format), callback, on_error, BUILD_WITHIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_format_is_tried_first() {
        let check = |ranges: &[(u32, u32, u16, SampleFormat)], rate_hz, channels, sample| {
            let first = formats(ranges.iter().copied())[0];
            assert_eq!(first, Format { rate_hz, channels, sample, frames: rate_hz / 100 });
        };
        check(&[(8_000, 96_000, 2, SampleFormat::I16), (8_000, 96_000, 1, SampleFormat::F32)], 48_000, 1, SampleFormat::F32);
        check(&[(44_100, 44_100, 2, SampleFormat::I32), (44_100, 44_100, 2, SampleFormat::I16)], 44_100, 2, SampleFormat::I16);
        check(&[(16_000, 16_000, 1, SampleFormat::I16)], 16_000, 1, SampleFormat::I16);
        assert!(formats([(11_025, 11_025, 1, SampleFormat::F32)].into_iter()).is_empty());
        assert!(formats([(48_000, 48_000, 2, SampleFormat::DsdU8)].into_iter()).is_empty());
    }
}
