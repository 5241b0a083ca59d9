//! What is said in the room and is no command.

use std::time::Duration;

use crate::house::{House, Plan, in_the_room};
use crate::voice::{PERSON, Voice};

#[test]
fn wrong_words_do_nothing() {
    let house = House::new(Plan::default());
    let (mark, ring) = (house.broker.mark(), house.mom.mark());
    for (voice, words) in [
        (PERSON, "call mom"),
        (Voice::Flite("rms"), "we could go to the sea on sunday if it does not rain"),
        (Voice::Flite("slt"), "my mother told the operator that she would call again"),
        (Voice::Espeak("en-us+f3", 150), "hello, is anybody at home? I called your mom this morning"),
        (PERSON, "hello operator, the soup is ready"),
        (PERSON, "hang up the washing"),
    ] {
        house.pulse.say(&in_the_room(&voice.says(words)));
        std::thread::sleep(Duration::from_millis(1200));
    }
    std::thread::sleep(Duration::from_secs(2));
    house.nothing_happened(mark, ring);
}
