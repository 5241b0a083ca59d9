//! From the end of the spoken command to the INVITE on the wire; from the end of the wake phrase to the chime.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::house::{House, Plan, in_the_room};
use crate::pulse::Place;
use crate::report::{Table, ms, percentile};
use crate::voice::{PERSON, Voice};

/// Louder than this is speech or chime, in dB; the room's noise is 20 dB below.
const LOUD_DB: f32 = -48.0;

const VOICES: [Voice; 6] = [
    PERSON,
    Voice::Espeak("en-us+f3", 155),
    Voice::Espeak("en-gb", 150),
    Voice::Flite("slt"),
    Voice::Flite("rms"),
    Voice::Flite("awb"),
];

/// How often each is measured.
const N_CALLS: usize = 36;
const N_CHIMES: usize = 12;
/// How long the speaker waits for a command after the chime, where nothing else is set.
const LISTENS: Duration = Duration::from_secs(6);
/// How it is measured.
const HOW: &str = "six voices of espeak-ng and flite, PulseAudio null sinks as the card. Begin and end are taken from recordings of microphone and loudspeaker, so the sound server's delay is in the figures.";

/// From the end of the spoken command to the INVITE.
pub fn measure() -> Table {
    let (phone, invites) = always_busy();
    let people = vec![
        ("Anna", format!("sip:anna@{phone}")),
        ("Peter", format!("sip:peter@{phone}")),
        ("The Doctor", format!("sip:doctor@{phone}")),
    ];
    let house = House::new(Plan { people, settings: String::new(), ..Plan::default() });
    let microphone = house.pulse.record(Place::Microphone);

    let (mut calls, mut missed) = (Vec::new(), Vec::new());
    for (i, voice) in VOICES.iter().cycle().take(N_CALLS).enumerate() {
        let words = format!("hello operator, call {}", ["anna", "peter", "the doctor"][i / VOICES.len() % 3]);
        let (mark, from) = (house.broker.mark(), microphone.length());
        while invites.try_recv().is_ok() {}
        house.pulse.say(&in_the_room(&voice.says(&words)));
        match invites.recv_timeout(Duration::from_secs(3)) {
            Err(_) => missed.push(format!("{voice:?}: {words}")),
            Ok(invited) => {
                let (_, end) = microphone.since(from).spoken(LOUD_DB).expect("the command");
                let spoken = microphone.when(from + end);
                calls.push(ms(invited.saturating_duration_since(spoken)));
                house.broker.wait_state(mark, "idle", Duration::from_secs(10));
                // The room is told that the line is busy; the next command comes after that.
                std::thread::sleep(Duration::from_millis(2500));
            }
        }
    }

    let mut table = Table::new("Delays");
    table.at_most("end of the spoken command to INVITE on the wire, median", 350.0, percentile(&calls, 0.5), "ms");
    table.at_most("the same, 95th percentile", 600.0, percentile(&calls, 0.95), "ms");
    table.note(format!("{} of {N_CALLS} commands led to a call; {HOW}", calls.len()));
    if !missed.is_empty() {
        table.note(format!("Not understood: {}.", missed.join("; ")));
    }
    table
}

/// From the end of the wake phrase to the chime.
pub fn measure_chimes() -> Table {
    let house = House::new(Plan::default());
    let microphone = house.pulse.record(Place::Microphone);
    let (mut chimes, mut silent) = (Vec::new(), Vec::new());
    let loudspeaker = house.listen();
    for voice in VOICES.iter().cycle().take(N_CHIMES) {
        let (from, out) = (microphone.length(), loudspeaker.length());
        house.pulse.say(&in_the_room(&voice.says("hello operator")));
        std::thread::sleep(Duration::from_millis(700));
        let chime = loudspeaker.since(out).spoken(LOUD_DB);
        let (_, end) = microphone.since(from).spoken(LOUD_DB).expect("the wake phrase");
        match chime {
            Some((begin, _)) => {
                let (chimed, spoken) = (loudspeaker.when(out + begin), microphone.when(from + end));
                chimes.push(if chimed > spoken { ms(chimed - spoken) } else { -ms(spoken - chimed) });
            }
            None => silent.push(format!("{voice:?}")),
        }
        // Until the speaker has stopped waiting for a command, and has said so.
        std::thread::sleep(LISTENS + Duration::from_millis(1200));
    }

    let mut table = Table::new("The chime");
    table.at_most("end of the wake phrase to the chime, median", 200.0, percentile(&chimes, 0.5), "ms");
    table.figure("the same, 95th percentile", format!("{:.0} ms", percentile(&chimes, 0.95)));
    table.note(format!("{} of {N_CHIMES} wake phrases led to a chime; {HOW}", chimes.len()));
    if !silent.is_empty() {
        table.note(format!("No chime: {}.", silent.join("; ")));
    }
    table
}

/// A phone that turns every call away as busy, and tells when each INVITE came.
fn always_busy() -> (SocketAddr, Receiver<Instant>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("socket");
    let address = socket.local_addr().expect("address");
    let (tell, invites) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((n, from)) = socket.recv_from(&mut buffer) {
            let now = Instant::now();
            let message = String::from_utf8_lossy(&buffer[..n]).into_owned();
            if !message.starts_with("INVITE ") {
                continue;
            }
            let mut answer = String::from("SIP/2.0 486 Busy Here\r\n");
            for line in message.lines() {
                let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
                match name.as_str() {
                    "via" | "v" | "from" | "f" | "call-id" | "i" | "cseq" => answer += &format!("{line}\r\n"),
                    "to" | "t" => answer += &format!("{line};tag=busy\r\n"),
                    _ => (),
                }
            }
            answer += "Content-Length: 0\r\n\r\n";
            let _ = socket.send_to(answer.as_bytes(), from);
            if tell.send(now).is_err() {
                return;
            }
        }
    });
    (address, invites)
}
