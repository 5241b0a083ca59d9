//! The SIP line against real peers on loopback: baresip as mom, SIPp for what no phone does by itself.

// The peers can do more than these scenes need.
#![allow(dead_code)]

#[path = "../../../tests/e2e/children.rs"]
mod children;
#[path = "../../../tests/e2e/phone.rs"]
mod phone;
#[path = "../../../tests/e2e/sound.rs"]
mod sound;
#[path = "sip_line/speaker.rs"]
mod speaker;

use std::f32::consts::TAU;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use control::action::LineAction;
use control::call::EndReason;
use control::input::LineEvent;
use hark::config::{Secret, SipAccount, Srtp, Transport};
use media::party::CodecKind;

use children::{Running, eventually, free_port};
use phone::{Phone, PhoneSettings};
use sound::Clip;
use speaker::{Speaker, settings, tone_share};

const HERS_HZ: f32 = 440.0;
const OURS_HZ: f32 = 700.0;
const SOON: Duration = Duration::from_secs(5);

fn humming() -> Clip {
    Clip { samples: (0..48_000 * 20).map(|i| 0.4 * (TAU * HERS_HZ * i as f32 / 48_000.0).sin()).collect() }
}

fn mom(folder: &Path, codecs: &str, more: &str) -> Phone {
    Phone::start(folder, PhoneSettings { voice: humming(), codecs, more, ..PhoneSettings::default() })
}

const ALL: &str = "opus/48000/2,pcma/8000/1,pcmu/8000/1";

/// Both hear the other's tone: ours live, hers from the recording that she makes.
#[track_caller]
fn both_hear(speaker: &Speaker) {
    // As soon as a second of sound has come: on a busy machine she begins late.
    let heard = speaker.hear(48_000, Duration::from_secs(10));
    let share = tone_share(&heard, HERS_HZ);
    assert!(share > 0.8, "of what we heard {share} is mom");
}

#[track_caller]
fn she_heard_us(phone: &Phone) {
    let heard = phone.heard();
    let loud = heard.part(
        heard.length().saturating_sub(Duration::from_millis(1_500)),
        heard.length().saturating_sub(Duration::from_millis(300)),
    );
    let share = tone_share(&loud.samples, OURS_HZ);
    assert!(share > 0.8, "mom heard {:?}, {share} of it us", heard.length());
}

fn call_out(codecs: &str, expected: CodecKind) {
    let folder = tempfile::tempdir().expect("folder");
    let phone = mom(folder.path(), codecs, "");
    let mut speaker = Speaker::start(settings(), OURS_HZ);
    let asked = Instant::now();
    let call = speaker.dial(&phone.uri());
    let invite_ms = speaker.invited().duration_since(asked).as_secs_f32() * 1e3;
    speaker.alerting(call);
    phone.answer();
    assert_eq!(speaker.answered(call), expected);
    both_hear(&speaker);
    let mark = phone.mark();
    speaker.act(LineAction::HangUp(call));
    assert_eq!(speaker.ended(call), EndReason::WeHungUp);
    phone.wait(mark, "CALL_CLOSED", SOON);
    she_heard_us(&phone);
    println!("{expected:?}: dial to INVITE {invite_ms:.1} ms");
}

#[test]
fn mom_is_called_with_opus() {
    call_out(ALL, CodecKind::Opus);
}

#[test]
fn mom_is_called_with_g711() {
    call_out("pcma/8000/1", CodecKind::Pcma);
    call_out("pcmu/8000/1", CodecKind::Pcmu);
}

#[test]
fn mom_calls_and_hangs_up() {
    for (codecs, expected) in [(ALL, CodecKind::Opus), ("pcmu/8000/1", CodecKind::Pcmu)] {
        let folder = tempfile::tempdir().expect("folder");
        let phone = mom(folder.path(), codecs, "");
        let speaker = Speaker::start(settings(), OURS_HZ);
        let mark = phone.mark();
        phone.dial(&speaker.uri());
        let (call, from, _) = speaker.rung();
        assert!(from.as_str().starts_with("sip:mom@127.0.0.1"), "{from:?}");
        phone.wait(mark, "CALL_RINGING", SOON);
        speaker.act(LineAction::Accept(call));
        assert_eq!(speaker.answered(call), expected);
        phone.wait(mark, "CALL_ESTABLISHED", SOON);
        both_hear(&speaker);
        phone.hang_up();
        assert_eq!(speaker.ended(call), EndReason::TheyHungUp);
        she_heard_us(&phone);
    }
}

#[test]
fn mom_is_busy() {
    let folder = tempfile::tempdir().expect("folder");
    let phone = mom(folder.path(), ALL, "");
    let mut speaker = Speaker::start(settings(), OURS_HZ);
    let call = speaker.dial(&phone.uri());
    speaker.alerting(call);
    phone.hang_up();
    assert_eq!(speaker.ended(call), EndReason::Busy);
}

#[test]
fn mom_stops_ringing_when_we_give_up() {
    let folder = tempfile::tempdir().expect("folder");
    let phone = mom(folder.path(), ALL, "");
    let mut speaker = Speaker::start(settings(), OURS_HZ);
    let call = speaker.dial(&phone.uri());
    speaker.alerting(call);
    let mark = phone.mark();
    speaker.act(LineAction::HangUp(call));
    assert_eq!(speaker.ended(call), EndReason::WeHungUp);
    phone.wait(mark, "CALL_CLOSED", Duration::from_secs(2));
}

#[test]
fn mom_gives_up_before_we_answer() {
    let folder = tempfile::tempdir().expect("folder");
    let phone = mom(folder.path(), ALL, "");
    let speaker = Speaker::start(settings(), OURS_HZ);
    phone.dial(&speaker.uri());
    let (call, ..) = speaker.rung();
    phone.hang_up();
    assert_eq!(speaker.ended(call), EndReason::Cancelled);
}

#[test]
fn mom_is_turned_away() {
    let folder = tempfile::tempdir().expect("folder");
    let phone = mom(folder.path(), ALL, "");
    let speaker = Speaker::start(settings(), OURS_HZ);
    let mark = phone.mark();
    phone.dial(&speaker.uri());
    let (call, ..) = speaker.rung();
    speaker.act(LineAction::Reject(call, EndReason::Busy));
    assert_eq!(speaker.ended(call), EndReason::Busy);
    let (_, why) = phone.wait(mark, "CALL_CLOSED", SOON);
    assert!(why.contains("486"), "{why}");
}

#[test]
fn strangers_are_turned_away_where_that_is_wanted() {
    let folder = tempfile::tempdir().expect("folder");
    let phone = mom(folder.path(), ALL, "");
    let speaker = Speaker::start(hark::config::SipSettings { accept_direct: false, ..settings() }, OURS_HZ);
    let mark = phone.mark();
    phone.dial(&speaker.uri());
    let (_, why) = phone.wait(mark, "CALL_CLOSED", SOON);
    assert!(why.contains("403"), "{why}");
}

#[test]
fn nobody_there_is_noticed_at_once() {
    let mut speaker = Speaker::start(settings(), OURS_HZ);
    let port = free_port();
    for to in [format!("sip:a@127.0.0.1:{port}"), format!("sip:a@127.0.0.1:{port};transport=tcp"), "sip:a@nobody.invalid".into()]
    {
        let asked = Instant::now();
        let call = speaker.dial(&to);
        assert_eq!(speaker.ended(call), EndReason::Unreachable, "{to}");
        assert!(asked.elapsed() < Duration::from_secs(1), "{to}: {:?}", asked.elapsed());
    }
}

const REFUSE: &str = include_str!("../../../tests/peers/sipp/refuse.xml");
const REGISTRAR: &str = include_str!("../../../tests/peers/sipp/registrar.xml");

fn sipp(folder: &Path, scenario: &str, port: u16, more: &[&str]) -> Running {
    let file = folder.join("scenario.xml");
    std::fs::write(&file, scenario).expect("scenario");
    let mut command = Command::new("sipp");
    command.current_dir(folder).arg("-sf").arg(file);
    command.args(["-i", "127.0.0.1", "-nostdin", "-timeout", "30", "-p"]).arg(port.to_string()).args(more);
    let running = Running::start("sipp", folder, &mut command);
    eventually("SIPp to listen", SOON, || UdpSocket::bind(("127.0.0.1", port)).is_err().then_some(()));
    running
}

#[test]
fn every_refusal_has_its_reason() {
    let mut speaker = Speaker::start(settings(), OURS_HZ);
    for (code, reason) in [
        ("603", EndReason::Declined),
        ("404", EndReason::NotFound),
        ("480", EndReason::NoAnswer),
        ("503", EndReason::Unreachable),
        ("488", EndReason::NoCommonMedia),
        ("600", EndReason::Busy),
        ("500", EndReason::Failed(500)),
    ] {
        let folder = tempfile::tempdir().expect("folder");
        let port = free_port();
        let _peer = sipp(folder.path(), &REFUSE.replace("{code}", code), port, &["-m", "1"]);
        let call = speaker.dial(&format!("sip:a@127.0.0.1:{port}"));
        assert_eq!(speaker.ended(call), reason, "{code}");
    }
}

#[test]
fn hold_and_resume_by_both_sides() {
    let folder = tempfile::tempdir().expect("folder");
    let phone = mom(folder.path(), ALL, "");
    let mut speaker = Speaker::start(settings(), OURS_HZ);
    let call = speaker.dial(&phone.uri());
    speaker.alerting(call);
    phone.answer();
    speaker.answered(call);
    both_hear(&speaker);
    phone.hold();
    speaker.until("hold", |it| *it == LineEvent::HeldByThem(call));
    phone.resume();
    speaker.until("resume", |it| *it == LineEvent::ResumedByThem(call));
    both_hear(&speaker);
    speaker.act(LineAction::Hold(call));
    eventually("silence while she is on hold", SOON, || speaker.listen(Duration::from_millis(300)).is_empty().then_some(()));
    speaker.act(LineAction::Resume(call));
    eventually("her voice after it", SOON, || (!speaker.listen(Duration::from_millis(300)).is_empty()).then_some(()));
    both_hear(&speaker);
    phone.hang_up();
    assert_eq!(speaker.ended(call), EndReason::TheyHungUp);
}

#[test]
fn touch_tones_go_both_ways() {
    for codecs in [ALL, "pcma/8000/1"] {
        let folder = tempfile::tempdir().expect("folder");
        let phone = mom(folder.path(), codecs, "");
        let mut speaker = Speaker::start(settings(), OURS_HZ);
        let call = speaker.dial(&phone.uri());
        speaker.alerting(call);
        phone.answer();
        speaker.answered(call);
        phone.press('5');
        speaker.until("her key", |it| *it == LineEvent::Dtmf(call, '5'));
        let mark = phone.mark();
        speaker.act(LineAction::Dtmf(call, "12#".into()));
        eventually("our keys at her phone", SOON, || {
            let keys = phone.events(mark).iter().filter(|it| *it == "CALL_DTMF_START").count();
            (keys == 3).then_some(())
        });
        speaker.act(LineAction::HangUp(call));
        assert_eq!(speaker.ended(call), EndReason::WeHungUp);
    }
}

#[test]
fn encryption_where_one_side_demands_it() {
    for (ours, hers) in [(Srtp::Require, ";mediaenc=srtp"), (Srtp::Accept, ";mediaenc=srtp-mand")] {
        let folder = tempfile::tempdir().expect("folder");
        let phone = mom(folder.path(), ALL, hers);
        let mut speaker = Speaker::start(hark::config::SipSettings { direct_srtp: ours, ..settings() }, OURS_HZ);
        if ours == Srtp::Require {
            let call = speaker.dial(&phone.uri());
            speaker.alerting(call);
            phone.answer();
            speaker.answered(call);
            both_hear(&speaker);
            speaker.act(LineAction::HangUp(call));
            speaker.ended(call);
            she_heard_us(&phone);
        }
        phone.dial(&speaker.uri());
        let (call, ..) = speaker.rung();
        speaker.act(LineAction::Accept(call));
        speaker.answered(call);
        both_hear(&speaker);
        phone.hang_up();
        assert_eq!(speaker.ended(call), EndReason::TheyHungUp);
    }
}

#[test]
fn a_call_without_the_encryption_that_we_demand_is_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let phone = mom(folder.path(), ALL, "");
    let speaker = Speaker::start(hark::config::SipSettings { direct_srtp: Srtp::Require, ..settings() }, OURS_HZ);
    let mark = phone.mark();
    phone.dial(&speaker.uri());
    let (_, why) = phone.wait(mark, "CALL_CLOSED", SOON);
    assert!(why.contains("488"), "{why}");
}

#[test]
fn garbage_harms_no_call() {
    let folder = tempfile::tempdir().expect("folder");
    let phone = mom(folder.path(), ALL, "");
    let settings = settings();
    let rtp_ports = settings.rtp_ports;
    let mut speaker = Speaker::start(settings, OURS_HZ);
    let call = speaker.dial(&phone.uri());
    speaker.alerting(call);
    phone.answer();
    speaker.answered(call);
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("socket");
    let invite = format!(
        "INVITE sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK77;rport\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:x@z>\r\n\
         Call-ID: 77\r\nCSeq: 1 INVITE\r\nContact: <sip:x@127.0.0.1>\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nhello",
        stranger.local_addr().expect("address")
    );
    let mut seed = 7u32;
    for n in 0..3_000usize {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut packet = match n % 3 {
            0 => vec![(seed >> 8) as u8; (seed % 1_400) as usize],
            1 => [&[0x80, (seed >> 16) as u8][..], &seed.to_be_bytes().repeat(5)].concat(),
            _ => invite.as_bytes()[..invite.len() - (seed >> 4) as usize % 200].to_vec(),
        };
        if let Some(it) = packet.get_mut((seed >> 12) as usize % 300) {
            *it = (seed >> 3) as u8;
        }
        stranger.send_to(&packet, ("127.0.0.1", speaker.port)).expect("sent");
        stranger.send_to(&packet, ("127.0.0.1", rtp_ports.0 + (n as u16 % 40))).ok();
    }
    stranger.send_to(invite.as_bytes(), ("127.0.0.1", speaker.port)).expect("sent");
    stranger.set_read_timeout(Some(SOON)).expect("socket");
    let refused = eventually("a refusal of the last, well-formed one", SOON, || {
        let mut answer = [0; 2_000];
        let n = stranger.recv(&mut answer).ok()?;
        let text = String::from_utf8_lossy(&answer[..n]).into_owned();
        (text.contains("Call-ID: 77") && !text.contains("SIP/2.0 100")).then_some(text)
    });
    assert!(refused.starts_with("SIP/2.0 4"), "{refused}");
    both_hear(&speaker);
    speaker.act(LineAction::HangUp(call));
    assert_eq!(speaker.ended(call), EndReason::WeHungUp);
}

#[test]
fn an_account_registers_and_calls_with_its_password() {
    let folder = tempfile::tempdir().expect("folder");
    let port = free_port();
    let _registrar = sipp(folder.path(), REGISTRAR, port, &["-m", "3"]);
    let account = SipAccount {
        name: "fritzbox".into(),
        registrar: format!("127.0.0.1:{port}"),
        user: "kitchen".into(),
        auth_user: None,
        password: Secret("secret".into()),
        transport: Transport::Udp,
        srtp: Srtp::Accept,
        expires: Duration::from_secs(300),
    };
    let speaker = Speaker::start(hark::config::SipSettings { accounts: vec![account.clone()], ..settings() }, OURS_HZ);
    speaker.until("the account to be up", |it| *it == LineEvent::Up("fritzbox".into()));
    drop(speaker);
    let wrong = SipAccount { password: Secret("wrong".into()), ..account };
    let speaker = Speaker::start(hark::config::SipSettings { accounts: vec![wrong], ..settings() }, OURS_HZ);
    let (_, event) = speaker.until("the account to be down", |it| matches!(it, LineEvent::Down(..)));
    let LineEvent::Down(_, why) = event else { unreachable!() };
    assert!(why.contains("password"), "{why}");
}
