//! Houses of several speakers in one process, over loopback and through a real broker: letters, joining, and those who do not belong.

#[path = "house/town.rs"]
mod town;

use std::time::Duration;

use hark::house::office::{Ask, Told};
use hark::house::{To, Undelivered};
use town::{Broker, Eavesdropper, Room, Ways, letter};

const BOTH: Ways = Ways { straight: true, broker: true };

#[tokio::test(flavor = "multi_thread")]
async fn a_new_speaker_joins_by_a_code_and_all_learn_of_it() {
    let broker = Broker::start();
    let mut hall = Room::start("hall", &broker, BOTH).await;
    let mut kitchen = Room::start("kitchen", &broker, Ways { straight: false, broker: true }).await;
    let attic = Room::start("attic", &broker, Ways { straight: true, broker: false }).await;
    kitchen.join(&hall, None).await.expect("by the broker");
    attic.join(&hall, Some(hall.link())).await.expect("by a straight link");
    for room in [&hall, &kitchen, &attic] {
        let others = ["hall", "kitchen", "attic"].into_iter().filter(|it| *it != room.name).collect::<Vec<_>>();
        room.knows(&others).await;
    }
    // Both were let in by the hall, and trust one another by its word; the attic hears of the kitchen over the broker as soon as it is there.
    hall.up("kitchen").await;
    hall.up("attic").await;
    hall.deliver("kitchen", &mut kitchen).await;
    attic.deliver("hall", &mut hall).await;

    let wrong = attic.ask(Ask::Join { code: "000000".into(), at: None }).await.unwrap_err();
    assert!(wrong.contains("hark house leave"), "{wrong}");

    hall.ask(Ask::Remove { room: "kitchen".into() }).await.unwrap();
    attic.knows(&["hall"]).await;
    assert_eq!(
        hall.post.send(letter(To::Room("kitchen".into()), "call.offer")).await,
        Err(Undelivered::Unknown("kitchen".into()))
    );
    let again = kitchen.join(&hall, None).await.unwrap_err();
    assert!(again.contains("hark house leave"), "{again}");
    kitchen.ask(Ask::Leave).await.unwrap();
    kitchen.join(&hall, None).await.expect("with its new key");
    hall.up("kitchen").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_code_is_refused_and_three_of_them_end_it() {
    let broker = Broker::start();
    let hall = Room::start("hall", &broker, BOTH).await;
    let attic = Room::start("attic", &broker, BOTH).await;
    let Told::Code(code, _) = hall.ask(Ask::Invite).await.unwrap() else { panic!("no code") };
    let wrong = if code == "123456" { "123457" } else { "123456" };
    for _ in 0..3 {
        let error = attic.ask(Ask::Join { code: wrong.into(), at: None }).await.unwrap_err();
        assert!(error.contains("wrong"), "{error}");
    }
    let error = attic.ask(Ask::Join { code, at: None }).await.unwrap_err();
    assert!(error.contains("nobody answered"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_arrive_with_the_broker_alone_without_it_and_when_it_is_killed() {
    let mut broker = Broker::start();
    let mut hall = Room::start("hall", &broker, BOTH).await;
    let mut kitchen = Room::start("kitchen", &broker, BOTH).await;
    let mut cellar = Room::start("cellar", &broker, Ways { straight: false, broker: true }).await;
    kitchen.join(&hall, None).await.unwrap();
    cellar.join(&hall, None).await.unwrap();
    hall.up("kitchen").await;
    hall.up("cellar").await;
    hall.deliver("kitchen", &mut kitchen).await;
    hall.deliver("cellar", &mut cellar).await;
    broker.kill();
    // A running call never depends on the broker.
    for _ in 0..20 {
        hall.deliver("kitchen", &mut kitchen).await;
        kitchen.deliver("hall", &mut hall).await;
    }
    assert_eq!(
        hall.post.send(letter(To::Room("cellar".into()), "call.offer")).await,
        Err(Undelivered::NoAnswer("cellar".into()))
    );
    broker.start_again();
    hall.up("cellar").await;
    hall.deliver("cellar", &mut cellar).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_brokers_guests_send_is_refused() {
    let broker = Broker::start();
    let guest = Eavesdropper::listen(&broker);
    let mut hall = Room::start("hall", &broker, Ways { straight: false, broker: true }).await;
    let mut kitchen = Room::start("kitchen", &broker, Ways { straight: false, broker: true }).await;
    kitchen.join(&hall, None).await.unwrap();
    hall.up("kitchen").await;
    hall.deliver("kitchen", &mut kitchen).await;
    hall.post.send(letter(To::Everyone, "wake.bid")).await.unwrap();
    assert_eq!(kitchen.desk().await.kind, "wake.bid");
    let heard = guest.heard("hark/kitchen/inbox");
    assert!(!heard.is_empty());
    for (_, payload) in &heard {
        let text = String::from_utf8_lossy(payload);
        assert!(!text.contains("call.offer") && !text.contains("secret"), "sealed: {text}");
    }
    // Once more, as a retained message, to the other one, changed, and junk.
    for _ in 0..3 {
        for (topic, payload) in guest.heard("hark/kitchen/inbox").into_iter().chain(guest.heard("hark/house/wake")) {
            guest.say(&topic, &payload, false);
            guest.say(&topic, &payload, true);
            guest.say("hark/hall/inbox", &payload, false);
            let changed = String::from_utf8_lossy(&payload).replacen("\"n\":", "\"n\":1", 1);
            guest.say(&topic, changed.as_bytes(), false);
        }
    }
    for junk in [&b"{}"[..], b"", b"null", &[0xff; 5000], br#"{"hark":1}"#] {
        for topic in ["hark/kitchen/inbox", "hark/house/wake", "hark/house/join", "hark/hall/about", "hark/hall/status"] {
            guest.say(topic, junk, true);
        }
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(kitchen.nothing_came(), "nothing is read twice");
    let refused = kitchen.status().await.refused;
    assert!(refused.forged > 0 && refused.again > 0 && refused.junk > 0, "{refused:?}");
    // And letters still arrive.
    hall.deliver("kitchen", &mut kitchen).await;
    kitchen.deliver("hall", &mut hall).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_at_the_straight_link_do_no_harm() {
    use tokio::io::AsyncWriteExt;
    let broker = Broker::start();
    let mut hall = Room::start("hall", &broker, BOTH).await;
    let mut kitchen = Room::start("kitchen", &broker, BOTH).await;
    kitchen.join(&hall, None).await.unwrap();
    hall.up("kitchen").await;
    let mut held = Vec::new();
    for n in 0..40_u8 {
        let mut stream = tokio::net::TcpStream::connect(kitchen.link()).await.unwrap();
        let junk = match n % 4 {
            0 => vec![0xff; 64],
            1 => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            2 => [&8_u32.to_be_bytes()[..], b"{\"hark\":"].concat(),
            _ => 1_000_000_u32.to_be_bytes().to_vec(),
        };
        // It may have been closed already.
        let _ = stream.write_all(&junk).await;
        held.push(stream);
    }
    hall.deliver("kitchen", &mut kitchen).await;
    kitchen.deliver("hall", &mut hall).await;
    assert!(kitchen.status().await.refused.junk > 0);
}
