//! The bell that the engine rings when it has packets for us, as something that can be awaited.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use tokio::io::unix::AsyncFd;

/// The eventfd of a party, [`media::party::PartyEnd::wake`].
pub struct Bell(AsyncFd<OwnedFd>);

impl Bell {
    /// Takes the descriptor over.
    ///
    /// # Errors
    /// When the descriptor cannot be polled.
    pub fn new(wake: OwnedFd) -> io::Result<Bell> {
        // SAFETY: an `OwnedFd` returns the same open descriptor for as long as it lives.
        unsafe { AsyncFd::register(wake) }.map(Bell).map_err(io::Error::from)
    }

    /// Waits until it rings. Cancel-safe: a ring is taken only in the same moment in which this returns.
    ///
    /// # Errors
    /// When the runtime shuts down.
    pub async fn rung(&self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            let taken = ready.try_io(|fd| {
                let mut count = [0u8; 8];
                // SAFETY: the descriptor is open as long as `self` lives, and the buffer holds eight bytes.
                let n = unsafe { libc::read(fd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
                if n < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
            });
            if let Ok(taken) = taken {
                return taken;
            }
        }
    }
}
