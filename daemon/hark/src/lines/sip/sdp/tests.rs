//! Offers of phones that exist, and what we answer them.

use std::net::SocketAddr;

use super::super::srtp::{Crypto, Suite};
use super::negotiate::{Local, NoAgreement};
use super::*;
use crate::config::Srtp;

const PHONE: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=x\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 109 8 0 101\r\n\
    a=rtpmap:109 OPUS/48000/2\r\na=fmtp:109 stereo=1\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\na=rtcp:4009\r\n";

fn local(srtp: Srtp) -> Local {
    let address: SocketAddr = "198.51.100.2:7000".parse().unwrap();
    let crypto = vec![Crypto::generate(1, Suite::AeadAes256Gcm), Crypto::generate(2, Suite::AesCm128Sha1_80)];
    let codecs = vec![CodecKind::Opus, CodecKind::Pcma, CodecKind::Pcmu];
    Local { address, rtcp_port: 7001, codecs, srtp, crypto, session: 5, version: 1, direction: Direction::SendReceive }
}

#[test]
fn a_phones_offer_is_read() {
    let sdp = Sdp::parse(PHONE.as_bytes()).unwrap();
    let (place, audio) = sdp.audio().unwrap();
    assert_eq!((place, audio.port, audio.rtcp_port), (0, 4000, Some(4009)));
    assert_eq!(audio.address, Some("192.0.2.7".parse().unwrap()));
    assert_eq!(audio.codec(), Some((109, CodecKind::Opus)));
    assert_eq!(audio.touch_tones(48_000), Some((101, 8_000)));
    assert_eq!(audio.direction, Direction::SendOnly);
}

#[test]
fn what_we_write_we_read_the_same() {
    for srtp in [Srtp::Accept, Srtp::Require] {
        let offer = local(srtp).offer();
        let mut read = Sdp::parse(offer.to_string().as_bytes()).unwrap();
        read.media.iter_mut().for_each(|it| {
            if let Medium::Audio(audio) = it {
                audio.address = Some(offer.origin);
            }
        });
        assert_eq!(read, offer);
    }
}

#[test]
fn an_answer_takes_our_first_codec_and_mirrors_the_direction() {
    let (answer, agreed) = local(Srtp::Accept).answer(&Sdp::parse(PHONE.as_bytes()).unwrap()).unwrap();
    assert_eq!(agreed.codec, (109, CodecKind::Opus));
    assert_eq!(agreed.direction, Direction::ReceiveOnly);
    assert_eq!(agreed.rtcp_port, 4009);
    assert_eq!(agreed.touch_tones, Some((101, 8_000)));
    assert!(answer.to_string().contains("m=audio 7000 RTP/AVP 109 101\r\n"), "{answer}");
    assert!(answer.to_string().contains("a=recvonly"), "{answer}");
}

#[test]
fn an_answer_has_every_media_line_of_the_offer() {
    let offer = format!("{PHONE}m=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=application 9 UDP/BFCP *\r\n");
    let (answer, _) = local(Srtp::Accept).answer(&Sdp::parse(offer.as_bytes()).unwrap()).unwrap();
    assert!(answer.to_string().contains("m=video 0 RTP/AVP 96\r\n"), "{answer}");
    assert!(answer.to_string().contains("m=application 0 UDP/BFCP *\r\n"), "{answer}");
}

#[test]
fn both_ends_agree_with_and_without_encryption() {
    for srtp in [Srtp::Accept, Srtp::Offer, Srtp::Require] {
        let (us, them) = (local(srtp), local(Srtp::Accept));
        let offer = us.offer();
        let (answer, theirs) = them.answer(&Sdp::parse(offer.to_string().as_bytes()).unwrap()).unwrap();
        let ours = us.conclude(&offer, &Sdp::parse(answer.to_string().as_bytes()).unwrap()).unwrap();
        assert_eq!(ours.codec, theirs.codec);
        assert_eq!(ours.touch_tones, Some((97, 48_000)));
        match (ours.crypto, theirs.crypto) {
            (None, None) => assert_eq!(srtp, Srtp::Accept),
            (Some(ours), Some(theirs)) => assert_eq!((ours.0, ours.1), (theirs.1, theirs.0)),
            _ => panic!("only one side encrypts"),
        }
    }
}

#[test]
fn what_cannot_be_agreed_is_refused() {
    let answer = |srtp, offer: &str| local(srtp).answer(&Sdp::parse(offer.as_bytes()).unwrap()).unwrap_err();
    assert_eq!(answer(Srtp::Require, PHONE), NoAgreement::NoEncryption);
    assert_eq!(answer(Srtp::Accept, "v=0\r\nm=audio 4000 RTP/SAVP 0\r\n"), NoAgreement::NoEncryption);
    assert_eq!(answer(Srtp::Accept, "v=0\r\nm=audio 4000 RTP/AVP 18 4\r\n"), NoAgreement::NoCodec);
    assert_eq!(answer(Srtp::Accept, "v=0\r\nm=audio 0 RTP/AVP 0\r\n"), NoAgreement::NoAudio);
    assert_eq!(answer(Srtp::Accept, "v=0\r\n"), NoAgreement::NoAudio);
}

#[test]
fn an_answer_without_our_key_is_refused() {
    let us = local(Srtp::Require);
    let answer = "v=0\r\nc=IN IP4 192.0.2.7\r\nm=audio 4000 RTP/AVP 0\r\n";
    let conclude = |body: &str| us.conclude(&us.offer(), &Sdp::parse(body.as_bytes()).unwrap()).unwrap_err();
    assert_eq!(conclude(answer), NoAgreement::NoEncryption);
    assert_eq!(conclude(&answer.replace("AVP", "SAVP")), NoAgreement::NoEncryption);
}

#[test]
fn bad_bodies_are_errors_or_nothing() {
    let cases: [(&[u8], Result<usize, SdpError>); 9] = [
        (b"", Err(SdpError::NotSdp)),
        (b"\xff\xfe\x00", Err(SdpError::NotSdp)),
        (b"v=1\r\n", Err(SdpError::NotSdp)),
        (b"v=0\r\nm=audio\r\n", Err(SdpError::BadLine)),
        (b"v=0\r\nm=audio 99999 RTP/AVP 0\r\n", Err(SdpError::BadLine)),
        (b"v=0\r\nm=audio -1 RTP/AVP 0\r\n", Err(SdpError::BadLine)),
        (b"v=0\nm=audio 7 RTP/AVP 300 x 0\na=rtpmap:zz\na=rtpmap:0\na=crypto:\n", Ok(1)),
        (b"v=0\no=\nc=\nm=audio 7 RTP/AVP\n", Ok(0)),
        (b"v=0\r\ngarbage\r\n=\r\nm=audio 7/2 RTP/AVP 0\r\n", Ok(1)),
    ];
    for (body, expected) in cases {
        let read = Sdp::parse(body).map(|sdp| sdp.audio().map_or(0, |(_, audio)| audio.formats.len()));
        assert_eq!(read, expected, "{}", String::from_utf8_lossy(body));
    }
    assert_eq!(Sdp::parse(&[b'v'; 20_000]), Err(SdpError::TooLong));
}

#[test]
fn hold_in_the_old_manner_has_no_address() {
    let sdp = Sdp::parse(b"v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 7 RTP/AVP 0\r\n").unwrap();
    assert_eq!(sdp.audio().unwrap().1.address, None);
}
