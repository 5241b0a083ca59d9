//! Announcements from desk to desk: heard everywhere at one moment, once, and whoever missed it is named.

#[path = "announce/air.rs"]
mod air;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use air::{Air, Card, Speaker};
use control::house::{Announcement, AnnouncementId, Body, HouseAction, HouseEvent, Priority, RecordingId};
use hark::house::desk::Group;
use media::order::Command;
use media::party::CodecKind;
use socket2::{Domain, Protocol, Socket, Type};
use speech::say::Voice;
use tokio::net::UdpSocket;

const ROOMS: [(&str, u64); 3] = [("attic", 0), ("hall", 7_777), ("study", 3)];

/// A voice that says everything with the same second of sound.
fn voice() -> (tempfile::TempDir, Voice) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.wav");
    let spec = hound::WavSpec { channels: 1, sample_rate: 22_050, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut wav = hound::WavWriter::create(&file, spec).unwrap();
    (0..22_050).for_each(|it| wav.write_sample(((it as f32 * 0.2).cos() * 12_000.0) as i16).unwrap());
    wav.finalize().unwrap();
    let command = vec!["sh".into(), "-c".into(), format!("cat > /dev/null; cat {}", file.display())];
    (folder, Voice { command })
}

fn announcement(id: &str, to: &[&str], body: Body) -> Announcement {
    let to = to.iter().map(|it| (*it).into()).collect();
    Announcement { id: AnnouncementId(id.into()), to, body, priority: Priority::Normal }
}

fn text() -> Body {
    Body::Text("dinner is ready".into())
}

/// What somebody says, at 16 kHz.
fn said() -> Arc<[f32]> {
    (0..24_000).map(|it| 0.1 * (it as f32 * 0.15).cos()).collect()
}

fn announced(event: HouseEvent) -> Option<control::house::Announced> {
    if let HouseEvent::Announced(it) = event { Some(it) } else { None }
}

fn over(event: HouseEvent) -> Option<AnnouncementId> {
    if let HouseEvent::AnnouncementOver(id) = event { Some(id) } else { None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_rooms_begin_within_20_ms() {
    let (air, (_folder, voice)) = (Air::new(), voice());
    air.twice.store(true, Relaxed);
    let latencies = [15, 55, 30].map(Duration::from_millis);
    let mut rooms: Vec<Speaker> = ROOMS
        .iter()
        .zip(latencies)
        .map(|((room, _), latency)| Speaker::start(&air, room, &ROOMS, Card::Latency(latency), voice.clone(), Vec::new()))
        .collect();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    for (n, body) in [text(), Body::Recording(RecordingId(0)), text()].into_iter().enumerate() {
        let asked = Instant::now();
        let it = announcement(&n.to_string(), &["attic", "hall", "study"], body);
        let id = it.id.clone();
        rooms[n % 3].act(HouseAction::Announce(it), Some(said())).await;
        let mut began = Vec::new();
        for room in &mut rooms {
            began.push(tokio::time::timeout(Duration::from_secs(5), room.began.recv()).await.unwrap().unwrap());
        }
        let (first, last) = (*began.iter().min().unwrap(), *began.iter().max().unwrap());
        println!(
            "begins after {:.0} ms, {:.2} ms apart",
            (first - asked).as_secs_f64() * 1e3,
            (last - first).as_secs_f64() * 1e3
        );
        assert!(last - first < Duration::from_millis(20), "{:?}", last - first);
        assert_eq!(rooms[n % 3].missed(&id).await, [""; 0]);
        for room in &mut rooms {
            assert_eq!(room.event(5, over).await, Some(id.clone()));
        }
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for room in &mut rooms {
        assert!(room.began.try_recv().is_err(), "what arrives twice is heard once");
        assert!(room.events.try_recv().is_err());
    }
}

#[tokio::test]
async fn a_room_that_comes_back_still_hears_it_and_one_that_does_not_is_named() {
    let (air, (_folder, voice)) = (Air::new(), voice());
    air.cut("hall");
    air.cut("study");
    let mut rooms = ROOMS.map(|(room, _)| Speaker::start(&air, room, &ROOMS, Card::None, voice.clone(), Vec::new()));
    let asked = Instant::now();
    let it = announcement("a", &["attic", "hall", "study", "moon"], text());
    rooms[0].act(HouseAction::Announce(it.clone()), None).await;
    // Nobody waits for who is away.
    assert!(matches!(rooms[0].commands.recv().await, Some(Command::PlayAt { .. })));
    assert!(asked.elapsed() < Duration::from_secs(2));
    tokio::time::sleep(Duration::from_secs(3)).await;
    air.mend("hall");
    assert_eq!(rooms[1].event(3, announced).await.unwrap().from, "attic");
    assert!(matches!(rooms[1].commands.recv().await, Some(Command::PlayAt { .. })));
    assert_eq!(rooms[0].missed(&it.id).await, ["moon", "study"]);
    assert!(asked.elapsed() < Duration::from_secs(12));
}

#[tokio::test]
async fn a_recording_sounds_as_it_was_said_and_junk_is_refused() {
    let (air, (_folder, voice)) = (Air::new(), voice());
    let mut rooms = ROOMS.map(|(room, _)| Speaker::start(&air, room, &ROOMS, Card::None, voice.clone(), Vec::new()));
    let it = announcement("a", &["hall"], Body::Recording(RecordingId(0)));
    rooms[0].act(HouseAction::Announce(it.clone()), Some(said())).await;
    let Some(Command::PlayAt { source, .. }) = rooms[1].commands.recv().await else { panic!("nothing is played") };
    let heard: Vec<f32> = source.collect();
    assert_eq!(heard.len(), 75 * 960);
    let level = media::meter::dbfs(media::meter::power(&heard[9_600..]));
    assert!((level + 20.0).abs() < 3.0, "{level}");
    assert_eq!(rooms[0].missed(&it.id).await, [""; 0]);
    // The recording is gone.
    let it = announcement("b", &["hall"], Body::Recording(RecordingId(1)));
    rooms[0].act(HouseAction::Announce(it.clone()), None).await;
    assert_eq!(rooms[0].missed(&it.id).await, ["hall"]);
    // A voice that cannot speak.
    let mute = Voice { command: vec!["false".into()] };
    let _mute = Speaker::start(&air, "study", &ROOMS, Card::None, mute, Vec::new());
    let it = announcement("c", &["hall", "study"], text());
    rooms[0].act(HouseAction::Announce(it.clone()), None).await;
    assert_eq!(rooms[0].missed(&it.id).await, ["study"]);
}

#[tokio::test]
async fn bids_tell_how_old_they_are() {
    let (air, (_folder, voice)) = (Air::new(), voice());
    let mut rooms = ROOMS.map(|(room, _)| Speaker::start(&air, room, &ROOMS, Card::None, voice.clone(), Vec::new()));
    rooms[0].act(HouseAction::Bid { score: 0.5 }, None).await;
    rooms[0].act(HouseAction::Won { score: 0.75 }, None).await;
    for room in &mut rooms[1..] {
        let bid = room.event(2, |it| if let HouseEvent::Bid(bid) = it { Some(bid) } else { None }).await.unwrap();
        assert_eq!((bid.room.as_str(), bid.score), ("attic", 0.5));
        assert!(bid.age < Duration::from_millis(500), "{:?}", bid.age);
        let won = room.event(2, |it| if let HouseEvent::Won(bid) = it { Some(bid) } else { None }).await.unwrap();
        assert_eq!(won.score, 0.75);
    }
}

/// A desk phone that has joined a group.
fn phone(group: SocketAddrV4) -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SocketAddr::V4(group).into()).unwrap();
    socket.join_multicast_v4(group.ip(), &Ipv4Addr::LOCALHOST).unwrap();
    socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    socket.set_nonblocking(true).unwrap();
    UdpSocket::from_std(socket.into()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phones_are_paged_and_page_us() {
    let (air, (_folder, voice)) = (Air::new(), voice());
    for (codec, payload_type, port) in [(CodecKind::Pcmu, 0, 25_004), (CodecKind::Pcma, 8, 25_006)] {
        let address: SocketAddrV4 = format!("239.255.73.74:{port}").parse().unwrap();
        let group = Group { name: "all phones".into(), address, codec, send: true, receive: true };
        let phone = phone(address);
        let mut rooms = ROOMS.map(|(room, _)| Speaker::start(&air, room, &ROOMS, Card::None, voice.clone(), vec![group.clone()]));
        tokio::time::sleep(Duration::from_millis(200)).await;
        let it = announcement("a", &["all phones"], text());
        rooms[0].act(HouseAction::Announce(it.clone()), None).await;
        assert_eq!(rooms[0].missed(&it.id).await, [""; 0]);
        let (mut packets, mut packet) = (Vec::new(), [0; 500]);
        while let Ok(Ok(n)) = tokio::time::timeout(Duration::from_secs(1), phone.recv(&mut packet)).await {
            packets.push(packet[..n].to_vec());
        }
        assert_eq!(packets.len(), 50, "a second in packets of 20 ms");
        assert!(packets.iter().all(|it| it.len() == 12 + 160 && it[0] == 0x80 && it[1] & 0x7f == payload_type));
        for room in &mut rooms {
            assert!(room.events.try_recv().is_err(), "rooms are reached as rooms, not as phones");
        }
        // Now somebody at that phone says the same, under its own name.
        for packet in &mut packets {
            packet[8..12].copy_from_slice(&[1, 2, 3, 4]);
            phone.send_to(packet, address).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for room in &mut rooms {
            let page = room.event(3, announced).await.unwrap();
            assert_eq!((page.from.as_str(), page.priority), ("all phones", Priority::Normal));
        }
        // It is over a second after its last packet.
        tokio::time::sleep(Duration::from_millis(1300)).await;
        let Some(Command::PlayAt { source, .. }) = rooms[1].commands.recv().await else { panic!("nothing is played") };
        let heard: Vec<f32> = source.collect();
        assert_eq!(heard.len(), 48_000 + 2_880);
        let level = media::meter::dbfs(media::meter::power(&heard[9_600..40_000]));
        assert!((level + 11.7).abs() < 1.5, "{level}");
    }
}
