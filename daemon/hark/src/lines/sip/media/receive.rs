//! What comes in: checked for sender, shape and key before anything else looks at it.

use super::*;
use crate::lines::sip::rtp::is_rtcp;
use crate::lines::sip::sdp::Coding;

/// So many packets of another codec in a row are no accident.
const MEANT: u32 = 5;

impl Task {
    /// A packet on the RTP socket.
    pub(super) fn receive(&mut self, packet: &[u8], from: SocketAddr, now: Instant) {
        if is_rtcp(packet) {
            return self.receive_rtcp(packet, from, now);
        }
        if !self.peer.may_be(from) {
            return self.refuse();
        }
        let opened = match &mut self.protection {
            Some(protection) => match protection.open_rtp(packet) {
                Ok(opened) => Some(opened),
                Err(_) => return self.refuse(),
            },
            None => None,
        };
        let Some(rtp) = Rtp::parse(opened.as_deref().unwrap_or(packet)) else { return self.refuse() };
        let format = self.agreed.incoming.iter().find(|it| it.payload == rtp.payload_type);
        match format.map(|it| it.coding) {
            Some(Coding::Voice(kind)) => self.voice(kind, &rtp, now),
            Some(Coding::TouchTones(_)) => {
                if let Some(key) = self.ear.packet(rtp.ssrc, rtp.timestamp, rtp.payload) {
                    self.tell(Happened::Key(key));
                }
            }
            // Comfort noise and what else was not agreed: it shows that they live, and is not played.
            Some(Coding::Unknown) | None if rtp.payload_type == 13 => (),
            Some(Coding::Unknown) | None => return self.refuse(),
        }
        self.peer.heard(from, now);
        self.heard_at = now;
    }

    fn voice(&mut self, kind: CodecKind, rtp: &Rtp<'_>, now: Instant) {
        if kind != self.agreed.codec.1 {
            let count = match self.other_codec {
                Some((other, count)) if other == kind => count + 1,
                _ => 1,
            };
            self.other_codec = Some((kind, count));
            if count == MEANT {
                self.tell(Happened::OtherCodec(kind));
            }
            return;
        }
        self.other_codec = None;
        if rtp.payload.is_empty() || rtp.payload.len() > Packet::MAX {
            return self.refuse();
        }
        let hz = clock_hz(kind);
        if self.reception.as_ref().is_none_or(|it| it.ssrc() != rtp.ssrc) {
            self.reception = Some(Reception::new(rtp.ssrc, rtp.sequence, hz, now));
        }
        if let Some(reception) = &mut self.reception {
            reception.packet(rtp.sequence, rtp.timestamp, now, &self.stats);
        }
        let mut packet = Packet {
            sequence: rtp.sequence,
            timestamp: rtp.timestamp,
            marker: rtp.marker,
            len: rtp.payload.len() as u16,
            data: [0; Packet::MAX],
        };
        packet.data[..rtp.payload.len()].copy_from_slice(rtp.payload);
        // A full ring means that the engine stalls: what it cannot take is lost, and counted.
        if self.downlink.push(packet).is_err() {
            self.stats.dropped.fetch_add(1, Relaxed);
        }
    }

    /// A packet on the RTCP socket, or RTCP on the shared one.
    pub(super) fn receive_rtcp(&mut self, packet: &[u8], from: SocketAddr, now: Instant) {
        if !self.peer.may_be(from) {
            return self.refuse();
        }
        let opened = match &mut self.protection {
            Some(protection) => match protection.open_rtcp(packet) {
                Ok(opened) => Some(opened),
                Err(_) => return self.refuse(),
            },
            None => None,
        };
        let reports = rtcp::parse(opened.as_deref().unwrap_or(packet));
        if reports.is_empty() {
            return self.refuse();
        }
        self.heard_at = now;
        for report in reports {
            match report {
                Report::Sender { ssrc, ntp_middle } => {
                    if let Some(reception) = self.reception.as_mut().filter(|it| it.ssrc() == ssrc) {
                        reception.sender_report(ntp_middle, now);
                    }
                }
                Report::About { ssrc, loss_256, last_report, since } if ssrc == self.sending.ssrc => {
                    self.stats.their_loss_256.store(loss_256.into(), Relaxed);
                    if let Some(trip) = rtcp::round_trip(last_report, since, SystemTime::now()) {
                        self.stats.round_trip_us.store(trip.as_micros().max(1) as u32, Relaxed);
                    }
                }
                Report::About { .. } | Report::Goodbye { .. } => (),
            }
        }
    }

    fn refuse(&self) {
        self.stats.refused.fetch_add(1, Relaxed);
    }
}
