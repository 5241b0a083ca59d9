//! What the speaker understands. Samples in, words out.
