//! What can be asked of the engine, and what it tells.

use rtrb::Producer;

use crate::clip::Sound;
use crate::party::{Party, PartyId};
use crate::ring::CardRings;

pub use crate::mixer::{Bus, SoundId};

/// What can be asked of the engine.
pub enum Command {
    /// Play a sound. The engine tells when it is over.
    Play {
        /// Its name, for [`Command::Stop`] and [`Notice::Finished`].
        id: SoundId,
        /// What it is for.
        bus: Bus,
        /// 48 kHz, mono, ready in memory: see [`crate::clip`].
        source: Sound,
    },
    /// As `Play`, but its first sample leaves the loudspeaker at this moment, or at once if that is over.
    PlayAt {
        /// Its name.
        id: SoundId,
        /// What it is for.
        bus: Bus,
        /// As of `Play`.
        source: Sound,
        /// In ns of the monotonic clock, see [`crate::ring::monotonic_ns`].
        at_ns: u64,
    },
    /// Fade a sound out.
    Stop(SoundId),
    /// Fade out everything on a bus.
    StopBus(Bus),
    /// A party takes part: it is heard, and gets packets of silence until its microphone opens.
    Join(Party),
    /// A party is gone.
    Leave(PartyId),
    /// A party hears the room.
    OpenMic(PartyId),
    /// A party hears silence.
    CloseMic(PartyId),
    /// A party is not played (hold).
    Silence(PartyId),
    /// A party is played.
    Unsilence(PartyId),
    /// A party hears, and is heard by, all other bridged parties, whatever its microphone gate and silence.
    Bridge(PartyId),
    /// A party is in no conference any more.
    Unbridge(PartyId),
    /// The volume of a bus, as a factor.
    Gain(Bus, f32),
    /// Pull a bus down to so much of its volume.
    Duck(Bus, f32),
    /// Let a bus come back.
    Unduck(Bus),
    /// Copy a signal into a ring, or stop copying. What does not fit is lost.
    Tap(Tap, Option<Producer<f32>>),
    /// From now on this is the card.
    Card(CardRings),
}

/// Signals that can be copied, at 48 kHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tap {
    /// What the microphone hears.
    Microphone,
    /// What an open party would hear. While this is tapped, the canceller for calls works.
    Clean,
    /// What is played.
    Render,
    /// What a party says.
    PartyDown(PartyId),
}

/// What the engine tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A sound is over, or was stopped.
    Finished(SoundId),
    /// A sound could not be played: too many at once.
    Refused(SoundId),
    /// A party has left.
    Left(PartyId),
}
