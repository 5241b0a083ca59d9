//! Tells the decisions when a minute of the day begins: they have no clock of their own.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use control::house::HouseEvent;
use tokio::sync::mpsc;

use crate::walltime;

/// Tells at once, and whenever a minute begins, until nobody listens any more. When the clock is set, it is right again within a minute.
pub async fn tell(events: mpsc::Sender<HouseEvent>) {
    loop {
        let now = SystemTime::now();
        let (weekday, minute) = walltime::weekday_and_minute(now);
        if events.send(HouseEvent::Clock { weekday, minute }).await.is_err() {
            return;
        }
        let since_minute = now.duration_since(UNIX_EPOCH).map_or(0, |it| it.as_millis() % 60_000);
        tokio::time::sleep(Duration::from_millis(60_000 - since_minute as u64)).await;
    }
}
