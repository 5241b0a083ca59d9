//! RTP packets (RFC 3550, section 5): reading them without trust, and writing ours.

/// The header without extensions.
pub const HEADER: usize = 12;

/// A packet as it came, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtp<'a> {
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// First packet after a pause.
    pub marker: bool,
    /// Sequence number.
    pub sequence: u16,
    /// In the codec's clock.
    pub timestamp: u32,
    /// The sender.
    pub ssrc: u32,
    /// Without padding.
    pub payload: &'a [u8],
}

/// Tells RTCP from RTP on one port (RFC 5761, section 4).
pub fn is_rtcp(packet: &[u8]) -> bool {
    packet.len() >= 8 && packet[0] >> 6 == 2 && (192..=223).contains(&packet[1])
}

impl<'a> Rtp<'a> {
    /// Reads a packet; nothing if it is not one.
    pub fn parse(packet: &'a [u8]) -> Option<Rtp<'a>> {
        let (head, mut rest) = packet.split_at_checked(HEADER)?;
        if head[0] >> 6 != 2 {
            return None;
        }
        let n_sources = usize::from(head[0] & 0x0f);
        rest = rest.get(n_sources * 4..)?;
        if head[0] & 0x10 != 0 {
            let (extension, after) = rest.split_at_checked(4)?;
            let words = usize::from(u16::from_be_bytes([extension[2], extension[3]]));
            rest = after.get(words * 4..)?;
        }
        if head[0] & 0x20 != 0 {
            let padding = usize::from(*rest.last()?);
            if padding == 0 {
                return None;
            }
            rest = rest.get(..rest.len().checked_sub(padding)?)?;
        }
        Some(Rtp {
            payload_type: head[1] & 0x7f,
            marker: head[1] & 0x80 != 0,
            sequence: u16::from_be_bytes([head[2], head[3]]),
            timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            ssrc: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
            payload: rest,
        })
    }

    /// Writes the packet over whatever `out` held.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend([0x80, self.payload_type | if self.marker { 0x80 } else { 0 }]);
        out.extend(self.sequence.to_be_bytes());
        out.extend(self.timestamp.to_be_bytes());
        out.extend(self.ssrc.to_be_bytes());
        out.extend(self.payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_write_we_read() {
        let packet = Rtp { payload_type: 96, marker: true, sequence: 65_535, timestamp: 7, ssrc: 9, payload: &[1, 2, 3] };
        let mut bytes = vec![0; 99];
        packet.write(&mut bytes);
        assert_eq!(Rtp::parse(&bytes), Some(packet));
        assert!(!is_rtcp(&bytes));
    }

    #[test]
    fn sources_extension_and_padding_are_passed_over() {
        let mut bytes = vec![0xb1, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        bytes.extend([9, 9, 9, 9, 0xbe, 0xde, 0, 1, 5, 5, 5, 5, 77, 78, 0, 0, 3]);
        let packet = Rtp::parse(&bytes).unwrap();
        assert_eq!((packet.payload_type, packet.sequence, packet.ssrc, packet.payload), (8, 1, 3, &[77, 78][..]));
    }

    #[test]
    fn lies_about_lengths_are_no_packets() {
        for (why, bytes) in [
            ("empty", vec![]),
            ("short", vec![0x80; 11]),
            ("version", [&[0x40][..], &[0; 20]].concat()),
            ("sources", [&[0x8f][..], &[0; 20]].concat()),
            ("extension", [&[0x90][..], &[0; 13], &[0xff, 0xff, 0]].concat()),
            ("no padding", [&[0xa0][..], &[0; 11]].concat()),
            ("zero padding", [&[0xa0][..], &[0; 15]].concat()),
            ("too much padding", [&[0xa0][..], &[0; 14], &[200]].concat()),
        ] {
            assert_eq!(Rtp::parse(&bytes), None, "{why}");
        }
    }
}
