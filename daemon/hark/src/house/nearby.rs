//! A house whose speakers are all in this process, without a network: for the tests of whoever writes letters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control::house::{Room, RoomName};
use tokio::sync::{mpsc, watch};

use super::courier::HouseStatus;
use super::{Boxes, ClockOffset, Clocks, Delivered, House, Post, Posted, To, UNSENT, Undelivered};

/// One [`House`] for each room; all are up and trust one another, and a letter arrives at once.
pub fn houses(rooms: &[&str]) -> Vec<House> {
    let start = Instant::now();
    let mut boxes = BTreeMap::new();
    let mut letters = Vec::new();
    let mut houses = Vec::new();
    for room in rooms {
        let (boxes_of_room, calls, desk) = Boxes::new();
        boxes.insert(RoomName::from(*room), boxes_of_room);
        let others = rooms.iter().filter(|other| *other != room).map(|other| Room {
            slug: RoomName::from(*other),
            name: other.replace('-', " "),
            floor: None,
            groups: Vec::new(),
            up: true,
        });
        let clocks = Clocks::new(start);
        for other in rooms {
            clocks.set(other, Some(ClockOffset::new(start, Duration::ZERO, Duration::ZERO)));
        }
        let (tell, known) = watch::channel(Arc::new(others.collect()));
        let (letters_in, unsent) = mpsc::channel(UNSENT);
        letters.push((RoomName::from(*room), unsent, tell));
        let (asked, status) = (mpsc::channel(1).0, watch::channel(HouseStatus::default()).1);
        houses.push(House { post: Post::new(letters_in, known, clocks), calls, desk, asked, status, tasks: Vec::new() });
    }
    let boxes = Arc::new(boxes);
    for ((room, unsent, tell), house) in letters.into_iter().zip(&mut houses) {
        house.tasks.push(tokio::spawn(carry(room, unsent, tell, boxes.clone())));
    }
    houses
}

/// Carries what one room writes. The list of rooms lives as long as somebody may write.
async fn carry(
    from: RoomName,
    mut unsent: mpsc::Receiver<Posted>,
    rooms: watch::Sender<Arc<Vec<Room>>>,
    boxes: Arc<BTreeMap<RoomName, Boxes>>,
) {
    while let Some((letter, tell)) = unsent.recv().await {
        let delivered = Delivered {
            from: from.clone(),
            kind: letter.kind,
            call: letter.call,
            body: letter.body,
            blob: letter.blob,
            sent: Instant::now(),
        };
        let arrived = match letter.to {
            To::Everyone => {
                for room in rooms.borrow().iter() {
                    boxes[&room.slug].put(delivered.clone());
                }
                Ok(())
            }
            To::Room(room) => match boxes.get(&room) {
                None => Err(Undelivered::Unknown(room)),
                Some(there) if there.put(delivered) => Ok(()),
                Some(_) => Err(Undelivered::NoAnswer(room)),
            },
        };
        if let Some(tell) = tell {
            // Whoever sent it may not wait any more.
            let _ = tell.send(arrived);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::Letter;
    use serde_json::json;

    #[tokio::test]
    async fn letters_go_to_whom_they_are_for() {
        let mut houses = houses(&["kitchen", "nursery", "hall"]);
        let letter = |to: To, kind: &str| Letter {
            to,
            kind: kind.into(),
            call: Some("c1".into()),
            body: json!({ "sdp": "x" }),
            blob: None,
            keep_trying_for: Duration::from_secs(1),
        };
        let post = houses[0].post.clone();
        assert_eq!(post.rooms().len(), 2);
        post.send(letter(To::Room("nursery".into()), "call.offer")).await.unwrap();
        post.send(letter(To::Everyone, "wake.bid")).await.unwrap();
        let offer = houses[1].calls.recv().await.unwrap();
        assert_eq!((offer.from.as_str(), offer.kind.as_str()), ("kitchen", "call.offer"));
        for house in &mut houses[1..] {
            assert_eq!(house.desk.recv().await.unwrap().kind, "wake.bid");
        }
        assert!(houses[0].desk.try_recv().is_err(), "not to itself");
        assert_eq!(post.send(letter(To::Room("attic".into()), "call.offer")).await, Err(Undelivered::Unknown("attic".into())));
    }
}
