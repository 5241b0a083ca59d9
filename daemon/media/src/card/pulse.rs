//! Our own connection to a PulseAudio (or PipeWire) server: one thread, one socket, no questions asked per callback.
//!
//! cpal finds the devices. Its streams are used elsewhere, but not here: for every callback they ask the server for its
//! latency, and the client beneath clears a megabyte before each read, which costs 6 % of a core while nothing happens.

use std::ffi::CString;
use std::io::{self, BufReader, Cursor, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use pulseaudio::protocol::stream::{BufferAttr, CorkStreamParams, StreamFlags};
use pulseaudio::protocol::{
    self, AuthParams, AuthReply, ChannelMap, Command, CommandReply, CreatePlaybackStreamReply, CreateRecordStreamReply,
    Descriptor, DescriptorFlags, PlaybackStreamParams, Prop, Props, RecordStreamParams, SampleFormat, SampleSpec,
    SetClientNameReply,
};

use super::open::Lent;
use crate::ring::{CaptureEnd, Counters, PlaybackEnd, monotonic_ns};
use crate::{FRAME, RATE_HZ};

/// How long the server may take to answer while a stream is made.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Bytes of a sample.
const SAMPLE: usize = 4;
/// Bytes of 10 ms.
const PERIOD: u32 = (FRAME * SAMPLE) as u32;
/// The thread wakes for so many bytes, some 2 ms of sound: servers like to deliver crumbs.
const WAKE_FOR: libc::c_int = 512;
/// Longer messages than this are not for us.
const LONGEST: usize = 1 << 20;

/// An open connection. Dropping it closes both streams.
pub struct Link {
    socket: UnixStream,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.closing.store(true, Relaxed);
        // A socket that is closed already needs no closing.
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // A panic was reported already.
            let _ = thread.join();
        }
    }
}

/// Opens both streams, of devices named as the server names them.
pub fn open(
    source: &str,
    sink: &str,
    capture: Lent<CaptureEnd>,
    playback: Lent<PlaybackEnd>,
    counters: Arc<Counters>,
    on_lost: impl Fn() + Send + 'static,
) -> io::Result<Link> {
    let path = pulseaudio::socket_path_from_env().ok_or(io::ErrorKind::NotFound)?;
    let socket = UnixStream::connect(path)?;
    socket.set_read_timeout(Some(ANSWER_WITHIN))?;
    let mut line =
        Line { reader: BufReader::with_capacity(1 << 16, socket.try_clone()?), version: protocol::MAX_VERSION, next: 0 };
    let cookie = pulseaudio::cookie_path_from_env().and_then(|it| std::fs::read(it).ok()).unwrap_or_default();
    let auth = AuthParams { version: protocol::MAX_VERSION, supports_shm: false, supports_memfd: false, cookie };
    let answer: AuthReply = line.ask(&Command::Auth(auth))?;
    line.version = line.version.min(answer.version);
    let mut props = Props::new();
    props.set(Prop::ApplicationName, c"Hark");
    line.ask::<SetClientNameReply>(&Command::SetClientName(props))?;
    // Both are made asleep, so that nothing but answers arrives until both are there.
    let sample_spec = SampleSpec { format: SampleFormat::Float32Le, channels: 1, sample_rate: RATE_HZ };
    let flags = StreamFlags { start_corked: true, adjust_latency: true, ..StreamFlags::default() };
    let name = |it: &str| CString::new(it).map_err(io::Error::other);
    let player: CreatePlaybackStreamReply = line.ask(&Command::CreatePlaybackStream(PlaybackStreamParams {
        sample_spec,
        channel_map: ChannelMap::mono(),
        sink_name: Some(name(sink)?),
        buffer_attr: BufferAttr {
            max_length: 2 * PERIOD,
            target_length: 2 * PERIOD,
            minimum_request_length: PERIOD,
            ..BufferAttr::default()
        },
        flags,
        ..PlaybackStreamParams::default()
    }))?;
    let recorder: CreateRecordStreamReply = line.ask(&Command::CreateRecordStream(RecordStreamParams {
        sample_spec,
        channel_map: ChannelMap::mono(),
        source_name: Some(name(source)?),
        buffer_attr: BufferAttr { max_length: PERIOD, fragment_size: PERIOD, ..BufferAttr::default() },
        flags,
        ..RecordStreamParams::default()
    }))?;
    line.tell(&Command::CorkRecordStream(CorkStreamParams { channel: recorder.channel, cork: false }))?;
    line.tell(&Command::CorkPlaybackStream(CorkStreamParams { channel: player.channel, cork: false }))?;
    socket.set_read_timeout(None)?;
    wake_less_often(&socket);
    let closing = Arc::new(AtomicBool::new(false));
    let mut pump = Pump {
        line,
        player: player.channel,
        recorder: recorder.channel,
        wanted: player.requested_bytes as usize,
        sink_ns: player.stream_latency * 1_000,
        message: vec![0; 1 << 16],
        packet: vec![0; protocol::DESCRIPTOR_SIZE + FRAME * SAMPLE],
        capture,
        playback,
        counters,
    };
    let closed = closing.clone();
    let thread = std::thread::Builder::new().name("sound-pulse".into()).spawn(move || {
        crate::engine::ask_for_realtime();
        // Whatever ends it, the supervisor begins anew.
        let _ = pump.run();
        if !closed.load(Relaxed) {
            on_lost();
        }
    })?;
    Ok(Link { socket, closing, thread: Some(thread) })
}

/// Lets reads wait until it is worth it.
fn wake_less_often(socket: &UnixStream) {
    let (bytes, length) = (WAKE_FOR, size_of::<libc::c_int>() as libc::socklen_t);
    // Where this fails it only costs a little more.
    // SAFETY: the descriptor is open, and the option is an int that outlives the call.
    unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVLOWAT, (&raw const bytes).cast(), length) };
}

/// The socket, with commands and answers.
struct Line {
    reader: BufReader<UnixStream>,
    version: u16,
    next: u32,
}

impl Line {
    fn tell(&mut self, command: &Command) -> io::Result<()> {
        let (version, sequence) = (self.version, self.next);
        self.next += 1;
        protocol::write_command_message(self.reader.get_mut(), sequence, command, version).map_err(io::Error::other)
    }

    fn ask<R: CommandReply>(&mut self, command: &Command) -> io::Result<R> {
        self.tell(command)?;
        let version = self.version;
        protocol::read_reply_message(&mut self.reader, version).map(|it| it.1).map_err(io::Error::other)
    }
}

/// Moves samples between socket and rings until the socket closes.
struct Pump {
    line: Line,
    player: u32,
    recorder: u32,
    /// Bytes that the server asked for and has not got.
    wanted: usize,
    /// How long the server and the card keep what they took from the server's buffer.
    sink_ns: u64,
    message: Vec<u8>,
    packet: Vec<u8>,
    capture: Lent<CaptureEnd>,
    playback: Lent<PlaybackEnd>,
    counters: Arc<Counters>,
}

impl Pump {
    fn run(&mut self) -> io::Result<()> {
        loop {
            self.play()?;
            let descriptor = protocol::read_descriptor(&mut self.line.reader).map_err(io::Error::other)?;
            let length = descriptor.length as usize;
            if length > LONGEST {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if self.message.len() < length {
                self.message.resize(length, 0);
            }
            self.line.reader.read_exact(&mut self.message[..length])?;
            match descriptor.channel {
                u32::MAX => self.obey(length)?,
                it if it == self.recorder => {
                    let samples = self.message[..length].as_chunks::<SAMPLE>().0;
                    if let Some(end) = &mut self.capture.it {
                        end.push(samples.iter().map(|it| f32::from_le_bytes(*it)));
                    }
                }
                _ => (),
            }
        }
    }

    /// Sends what the server asked for.
    fn play(&mut self) -> io::Result<()> {
        if let Some(end) = &mut self.playback.it {
            let before = (2 * PERIOD as usize).saturating_sub(self.wanted) / SAMPLE;
            end.leaves_at(monotonic_ns() + self.sink_ns + before as u64 * 1_000_000 / 48);
        }
        while self.wanted >= SAMPLE {
            let n = (self.wanted / SAMPLE).min(FRAME);
            let mut samples = [0.0; FRAME];
            if let Some(end) = &mut self.playback.it {
                end.fill(&mut samples[..n]);
            }
            let (head, body) = self.packet.split_at_mut(protocol::DESCRIPTOR_SIZE);
            let descriptor =
                Descriptor { length: (n * SAMPLE) as u32, channel: self.player, offset: 0, flags: DescriptorFlags::empty() };
            head.copy_from_slice(&encoded(&descriptor));
            for (bytes, sample) in body.as_chunks_mut::<SAMPLE>().0.iter_mut().zip(&samples[..n]) {
                *bytes = sample.to_le_bytes();
            }
            let length = protocol::DESCRIPTOR_SIZE + n * SAMPLE;
            self.line.reader.get_mut().write_all(&self.packet[..length])?;
            self.wanted -= n * SAMPLE;
        }
        Ok(())
    }

    fn obey(&mut self, length: usize) -> io::Result<()> {
        let mut message = Cursor::new(&self.message[..length]);
        // Messages that newer servers invented are none of our business.
        let Ok((_, command)) = Command::read_tag_prefixed(&mut message, self.line.version) else { return Ok(()) };
        match command {
            Command::Request(request) if request.channel == self.player => self.wanted += request.length as usize,
            Command::Underflow(_) | Command::Overflow(_) => {
                self.counters.card_xruns.fetch_add(1, Relaxed);
            }
            Command::PlaybackStreamKilled(_) | Command::RecordStreamKilled(_) => {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            _ => (),
        }
        Ok(())
    }
}

fn encoded(descriptor: &Descriptor) -> [u8; protocol::DESCRIPTOR_SIZE] {
    let mut bytes = [0; protocol::DESCRIPTOR_SIZE];
    protocol::encode_descriptor(&mut bytes, descriptor);
    bytes
}
