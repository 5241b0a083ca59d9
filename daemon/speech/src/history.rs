//! The last seconds of a signal, by absolute sample number.

/// Keeps the newest samples of one signal.
pub struct History {
    samples: Box<[f32]>,
    /// Number of the sample that comes next.
    end: u64,
}

impl History {
    /// Room for this many samples.
    pub fn new(capacity: usize) -> Self {
        Self { samples: vec![0.0; capacity].into(), end: 0 }
    }

    /// Adds samples; the oldest go.
    pub fn push(&mut self, samples: &[f32]) {
        let n = self.samples.len() as u64;
        for &sample in samples {
            self.samples[(self.end % n) as usize] = sample;
            self.end += 1;
        }
    }

    /// The oldest sample that is still there.
    pub fn start(&self) -> u64 {
        self.end.saturating_sub(self.samples.len() as u64)
    }

    /// The number of the next sample.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Calls `with` for the samples from `from` to before `to`, as far as they are there, in one or two pieces.
    pub fn each(&self, from: u64, to: u64, mut with: impl FnMut(&[f32])) {
        let n = self.samples.len() as u64;
        let (mut from, to) = (from.max(self.start()), to.min(self.end));
        while from < to {
            let at = (from % n) as usize;
            let len = ((to - from) as usize).min(self.samples.len() - at);
            with(&self.samples[at..at + len]);
            from += len as u64;
        }
    }
}
