//! Addresses, numbers, lines, names.

mod house;

use std::collections::BTreeSet;

use control::contacts::as_heard;
use control::dialplan::{self, NoWay, Uri, UriError};

#[test]
fn addresses_are_read_as_people_write_them() {
    for (text, uri) in [
        ("sip:mom@home.example", "sip:mom@home.example"),
        ("SIP:mom@home.example:5070;transport=tcp", "sip:mom@home.example:5070;transport=tcp"),
        ("sips:mom@[2001:db8::1]:5061", "sips:mom@[2001:db8::1]:5061"),
        ("mom@home.example", "sip:mom@home.example"),
        ("sip:192.0.2.7", "sip:192.0.2.7"),
        (" +49 (0)30 / 12-34 56 ", "tel:+4930123456"),
        ("tel:030 123456", "tel:030123456"),
        ("030 123456", "tel:030123456"),
        ("**1", "tel:**1"),
        ("hark:echo", "hark:echo"),
    ] {
        assert_eq!(Uri::parse(text).as_ref().map(Uri::as_str), Ok(uri), "{text}");
    }
}

#[test]
fn what_is_no_address_is_told() {
    for (text, error) in [
        ("", UriError::Empty),
        ("  ", UriError::Empty),
        ("mom", UriError::NoHost),
        ("sip:", UriError::NoHost),
        ("sip:mom@", UriError::NoHost),
        ("sip:@home.example", UriError::NoHost),
        ("sip:mom@:5060", UriError::NoHost),
        ("sip:mom @home.example", UriError::Character(' ')),
        ("sip:mom@home.example\r\nX: y", UriError::Character('\r')),
        ("sip:mom@home.example?Replaces=x", UriError::Character('?')),
        ("sip:mom@hömé", UriError::Character('ö')),
        ("<sip:mom@home.example>", UriError::Scheme("<sip".into())),
        ("http://home.example", UriError::Scheme("http".into())),
        ("hark:mom", UriError::NotBuiltIn("mom".into())),
        ("tel:mom", UriError::NoDigits),
        ("+", UriError::NoDigits),
    ] {
        assert_eq!(Uri::parse(text), Err(error), "{text}");
    }
}

fn to(text: &str) -> Result<String, NoWay> {
    let rungs = dialplan::to_address(&Uri::parse(text).unwrap(), &house::settings(), &BTreeSet::new())?;
    Ok(rungs.iter().map(|it| format!("{} on {}", it.to, it.line)).collect::<Vec<_>>().join(", "))
}

#[test]
fn a_number_without_country_code_gets_ours() {
    for (text, way) in [
        ("030 123456", "sip:+4930123456@fritz.box on fritzbox"),
        ("0044 20 7946 0000", "sip:+442079460000@fritz.box on fritzbox"),
        ("+44 20 7946 0000", "sip:+442079460000@fritz.box on fritzbox"),
        ("123456", "sip:123456@fritz.box on fritzbox"),
        ("0800", "sip:0800@fritz.box on fritzbox"),
        ("**1", "sip:**1@fritz.box on fritzbox"),
        ("*21#", "sip:*21%23@fritz.box on fritzbox"),
        ("112", "sip:112@fritz.box on fritzbox"),
    ] {
        assert_eq!(to(text).as_deref(), Ok(way), "{text}");
    }
}

#[test]
fn each_address_goes_out_on_the_line_that_can_reach_it() {
    for (text, way) in [
        ("sip:anna@fritz.box", "sip:anna@fritz.box on fritzbox"),
        ("sip:anna@FRITZ.box:5060", "sip:anna@FRITZ.box:5060 on fritzbox"),
        ("sip:anna@elsewhere.example", "sip:anna@elsewhere.example on direct"),
        ("hark:echo", "hark:echo on builtin"),
    ] {
        assert_eq!(to(text).as_deref(), Ok(way), "{text}");
    }
}

#[test]
fn without_a_line_there_is_no_way() {
    let mut settings = house::settings();
    settings.lines.retain(|it| it.name == "direct");
    let way = |text: &str| dialplan::to_address(&Uri::parse(text).unwrap(), &settings, &BTreeSet::new());
    assert_eq!(way("030 123456"), Err(NoWay::NoLine));
    assert_eq!(way("hark:echo"), Err(NoWay::NoLine));
    assert!(way("sip:anna@fritz.box").is_ok());
}

#[test]
fn a_line_that_is_down_is_passed_over_but_for_emergencies() {
    let mut settings = house::settings();
    let mut provider = settings.lines[0].clone();
    provider.name = "provider".into();
    provider.domain = Some("provider.example".into());
    provider.emergency.clear();
    settings.lines.push(provider);
    let lines = |text: &str, down: &[&str]| -> Result<Vec<String>, NoWay> {
        let down = down.iter().map(|it| it.to_string()).collect();
        let rungs = dialplan::to_address(&Uri::parse(text).unwrap(), &settings, &down)?;
        Ok(rungs.into_iter().map(|it| it.line).collect())
    };
    assert_eq!(lines("030 123456", &[]), Ok(vec!["fritzbox".into()]));
    assert_eq!(lines("030 123456", &["fritzbox"]), Ok(vec!["provider".into()]));
    assert_eq!(lines("030 123456", &["fritzbox", "provider"]), Err(NoWay::LineDown));
    assert_eq!(lines("112", &[]), Ok(vec!["fritzbox".into(), "provider".into()]));
    assert_eq!(lines("112", &["fritzbox"]), Ok(vec!["provider".into(), "fritzbox".into()]));
    assert_eq!(lines("112", &["fritzbox", "provider"]), Ok(vec!["fritzbox".into(), "provider".into()]));
}

#[test]
fn a_caller_is_known_by_the_number_however_it_is_written() {
    let (contacts, settings) = (house::contacts(), house::settings());
    for (from, name) in [
        ("sip:+4930123456@fritz.box", Some("Mom")),
        ("sip:030123456@anything.example;user=phone", Some("Mom")),
        ("sip:004930123456@fritz.box", Some("Mom")),
        ("sip:MOM@Home.example:5060", Some("Mom")),
        ("sip:30123456@fritz.box", None),
        ("sip:mom@elsewhere.example", None),
        ("sip:home.example", None),
    ] {
        let contact = contacts.at(&Uri::parse(from).unwrap(), &settings.lines);
        assert_eq!(contact.map(|it| it.name.as_str()), name, "{from}");
    }
}

#[test]
fn a_name_means_one_several_or_nobody() {
    let (contacts, phrases) = (house::contacts().with_echo_test(&house::phrases("en")), house::phrases("en"));
    for (name, people) in [
        ("mom", "Mom"),
        ("MUM ", "Mom"),
        ("anna", "Anna Smith, Anna Jones"),
        ("anna-smith", "Anna Smith"),
        ("aunt", ""),
        ("aunt mary", "Aunt Mary"),
        ("echo test", "the echo test"),
        ("she vaughn", ""),
        ("", ""),
    ] {
        let named: Vec<_> = contacts.named(name, &phrases).into_iter().map(|it| it.name.as_str()).collect();
        assert_eq!(named.join(", "), people, "{name}");
    }
}

#[test]
fn names_that_are_close_are_known() {
    let (contacts, phrases) = (house::contacts(), house::phrases("en"));
    for (name, close) in [("Bob", "Rob"), ("Anna Smith", "Anna Jones"), ("Dad", ""), ("Aunt Mary", "")] {
        let near: Vec<_> =
            contacts.close_to(contacts.get(name).unwrap(), &phrases).into_iter().map(|it| it.name.as_str()).collect();
        assert_eq!(near.join(", "), close, "{name}");
    }
}

#[test]
fn the_echo_test_gives_way_to_a_contact_of_its_name() {
    let phrases = house::phrases("en");
    let own = house::contacts_from("contacts person \"Echo Test\" at sip:echo@provider.example");
    let names =
        |it: control::contacts::Contacts| it.with_echo_test(&phrases).people.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(own), ["Echo Test", "the echo test"]);
    let own = house::contacts_from("contacts person \"The Echo Test\" at sip:echo@provider.example");
    assert_eq!(names(own), ["The Echo Test"]);
}

#[test]
fn names_are_written_as_they_are_heard() {
    for (name, heard) in
        [("Anna-Lena  O’Brien", "anna lena o'brien"), ("Dr. Who", "dr who"), ("Größe", "größe"), ("妈妈。", "妈妈")]
    {
        assert_eq!(as_heard(name), heard);
    }
}
