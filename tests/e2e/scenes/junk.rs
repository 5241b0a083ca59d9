//! Garbage on every door, while a call is up.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::house::{A_WHILE, House, Plan, SOON, hears};
use crate::phone::PhoneSettings;
use crate::sound::Clip;
use crate::voice::{MOM, PERSON};

/// The same noise at every run.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, n_bytes: usize) -> Vec<u8> {
        (0..n_bytes)
            .map(|_| {
                self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (self.0 >> 56) as u8
            })
            .collect()
    }
}

#[test]
fn garbage_on_the_sip_and_rtp_ports_does_not_disturb_a_call() {
    let later = MOM.says("and then the neighbour came over with her two dogs");
    let voice = Clip::silence(Duration::from_secs(7)).then(&later).then_silence(Duration::from_secs(60));
    let mut house = House::new(Plan { mom: PhoneSettings { voice, ..PhoneSettings::default() }, ..Plan::default() });
    let loudspeaker = house.listen();
    let mark = house.call_mom();
    let (socket, mut noise) = (UdpSocket::bind("127.0.0.1:0").expect("socket"), Noise(7));
    let sip = ("127.0.0.1", house.sip_port);
    let half = "INVITE sip:hark@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:x@y>;tag=1\r\n";
    for i in 0..2000_u32 {
        let garbage = match i % 5 {
            0 => noise.bytes(1200),
            1 => half.as_bytes().to_vec(),
            2 => format!("{half}To: <sip:z@y>\r\nCall-ID: {i}\r\nCSeq: 1 INVITE\r\nContent-Length: 99999999\r\n\r\nv=0\r\n")
                .into_bytes(),
            3 => b"BYE sip:hark@127.0.0.1 SIP/2.0\r\n\r\n".to_vec(),
            _ => Vec::new(),
        };
        let _ = socket.send_to(&garbage, sip);
        let mut packet = noise.bytes(20 + (i as usize % 300));
        packet[0] = if i % 2 == 0 { 0x80 } else { packet[0] };
        for port in house.first_rtp_port..house.first_rtp_port + 4 {
            let _ = socket.send_to(&packet, ("127.0.0.1", port));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    if let Ok(mut tcp) = TcpStream::connect(sip) {
        let _ = tcp.write_all(&noise.bytes(100_000));
    }
    assert!(house.speaker.alive(), "{}", house.speaker.printed());
    hears("mom in the room", &later, A_WHILE, || loudspeaker.so_far());
    house.say("the soup is ready, come to the kitchen");
    hears("the room at mom's", &PERSON.says("the soup is ready, come to the kitchen"), SOON, || house.mom.heard());
    house.mom.hang_up();
    house.wait_over(mark);
}

#[test]
fn junk_on_mqtt_and_on_the_control_socket_changes_nothing() {
    let mut house = House::new(Plan::default());
    let ring = house.mom.mark();
    let mark = house.broker.mark();
    let long = "x".repeat(100_000);
    for verb in ["dial", "answer", "volume", "mute", "dtmf", "say", "nonsense", "dial/dial"] {
        for payload in ["", "{", "[]", "null", "{\"to\": 7}", "{\"id\": {}}", "{\"volume\": 1e999}", "\u{1}\u{2}", long.as_str()]
        {
            if !(verb == "mute" || verb == "answer") || payload.starts_with(['{', '[']) {
                house.broker.publish(&format!("hark/test-room/do/{verb}"), payload);
            }
        }
    }
    let mut socket = UnixStream::connect(house.folder.path().join("hark.sock")).expect("socket");
    let _ = socket.write_all(&Noise(3).bytes(100_000));
    drop(socket);
    assert!(house.speaker.alive(), "{}", house.speaker.printed());
    house.nothing_happened(mark, ring);
    let mark = house.broker.mark();
    house.broker.publish("hark/test-room/do/dial", r#"{"id": "a1", "to": "mom"}"#);
    house.mom.rings(ring, SOON);
    house
        .broker
        .wait(mark, "the answer to the command", SOON, |it| it.topic == "hark/test-room/done/a1" && it.get("ok") == "true");
    house.mom.answer();
    house.broker.wait_state(mark, "connected", SOON);
    house.broker.publish("hark/test-room/do/hangup", "{}");
    house.mom.wait(ring, "CALL_CLOSED", SOON);
    house.wait_over(mark);
    assert!(house.broker.alive());
}
