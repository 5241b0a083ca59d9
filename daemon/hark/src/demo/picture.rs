//! The scene on a time line, as SVG.

use std::fmt::Write;

const WIDTH: f64 = 1100.0;
const LEFT: f64 = 130.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 64.0;
const LANE: f64 = 62.0;
const STATES: f64 = 26.0;

/// One recording over the time of the scene.
pub struct Lane<'a> {
    /// What it is.
    pub title: &'a str,
    /// Colour of the curve.
    pub colour: &'a str,
    /// Samples at 48 kHz; the first one is at `start_s` of the scene.
    pub samples: &'a [f32],
    /// See `samples`.
    pub start_s: f64,
}

/// A stretch of time with a name: the state of the call.
pub struct Band {
    /// Its name.
    pub title: String,
    /// From here, in seconds.
    pub from_s: f64,
    /// To here.
    pub to_s: f64,
}

/// A moment with a name.
pub struct Mark {
    /// Its name.
    pub title: String,
    /// When, in seconds.
    pub at_s: f64,
}

/// Draws it. `seconds` is the length of the scene.
pub fn draw(title: &str, seconds: f64, lanes: &[Lane<'_>], bands: &[Band], marks: &[Mark]) -> String {
    let x = |s: f64| LEFT + (WIDTH - LEFT - RIGHT) * (s / seconds).clamp(0.0, 1.0);
    let lanes_top = TOP + STATES + 14.0;
    let marks_top = lanes_top + LANE * lanes.len() as f64 + 8.0;
    let height = marks_top + 16.0 * marks.len().min(8) as f64 + 34.0;
    let mut svg = String::new();
    // Writing to a String cannot fail.
    let mut put = |text: String| svg.push_str(&text);
    put(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"system-ui,sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fbfaf7\"/>\n\
         <text x=\"{LEFT}\" y=\"28\" font-size=\"17\" font-weight=\"600\" fill=\"#222\">{}</text>\n",
        escape(title)
    ));
    for second in 0..=seconds as u32 {
        let at = x(f64::from(second));
        put(format!("<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{:.1}\" stroke=\"#e4e0d8\"/>\n", marks_top));
        if second.is_multiple_of(2) {
            put(format!(
                "<text x=\"{at:.1}\" y=\"{:.1}\" fill=\"#888\" text-anchor=\"middle\" font-size=\"10\">{second} s</text>\n",
                TOP - 6.0
            ));
        }
    }
    for band in bands {
        let (from, to) = (x(band.from_s), x(band.to_s));
        put(format!(
            "<rect x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{STATES}\" rx=\"4\" fill=\"{}\"/>\n",
            (to - from).max(1.0),
            state_colour(&band.title)
        ));
        if to - from > 7.0 * band.title.len() as f64 {
            put(format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#222\">{}</text>\n",
                (from + to) / 2.0,
                TOP + 17.0,
                escape(&band.title)
            ));
        }
    }
    put(format!("<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#444\">call</text>\n", LEFT - 10.0, TOP + 17.0));
    for (n, lane) in lanes.iter().enumerate() {
        let middle = lanes_top + LANE * (n as f64 + 0.5);
        put(format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#444\">{}</text>\n<path d=\"{}\" fill=\"{}\"/>\n",
            LEFT - 10.0,
            middle + 4.0,
            escape(lane.title),
            outline(lane, &x, middle),
            lane.colour
        ));
    }
    for (n, mark) in marks.iter().enumerate() {
        let at = x(mark.at_s);
        let y = marks_top + 16.0 * (n % 8) as f64 + 14.0;
        let (anchor, dx) = if at > WIDTH * 0.7 { ("end", -5.0) } else { ("start", 5.0) };
        put(format!(
            "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{y:.1}\" stroke=\"#b5482a\" stroke-dasharray=\"3 3\"/>\n\
             <text x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#b5482a\">{}</text>\n",
            at + dx,
            escape(&mark.title)
        ));
    }
    put("</svg>\n".into());
    svg
}

/// The envelope of a lane as a closed shape, 50 ms a step, each lane to its own loudest place.
fn outline(lane: &Lane<'_>, x: &impl Fn(f64) -> f64, middle: f64) -> String {
    const STEP: usize = 2_400;
    let peaks: Vec<f32> =
        lane.samples.chunks(STEP).map(|piece| piece.iter().fold(0.0, |peak: f32, s| peak.max(s.abs()))).collect();
    let loudest = peaks.iter().fold(0.05f32, |loudest, peak| loudest.max(*peak));
    let height = |peak: f32| f64::from((peak / loudest).sqrt()) * (LANE / 2.0 - 4.0);
    let at = |n: usize| x(lane.start_s + n as f64 * 0.05);
    let mut path = format!("M{:.1} {middle:.1}", at(0));
    for (n, peak) in peaks.iter().enumerate() {
        let _ = write!(path, "L{:.1} {:.1}", at(n), middle - height(*peak));
    }
    for (n, peak) in peaks.iter().enumerate().rev() {
        let _ = write!(path, "L{:.1} {:.1}", at(n), middle + height(*peak));
    }
    path.push('Z');
    path
}

fn state_colour(state: &str) -> &'static str {
    match state {
        "idle" => "#eceae4",
        "connected" => "#bfe3c0",
        "ringing" | "ringback" => "#fbe3a4",
        _ => "#d9e4f2",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
