//! Curves as SVG that is readable on light and dark pages.

use std::fmt::Write as _;
use std::path::Path;

/// One curve.
pub struct Curve {
    pub name: String,
    /// (x, y), both in percent or per hour as the axes say.
    pub points: Vec<(f64, f64)>,
}

/// A plot of misses (linear, %) over false accepts (logarithmic).
pub struct Plot {
    pub title: String,
    pub curves: Vec<Curve>,
}

const COLORS: [&str; 8] = ["#2f81f7", "#e5534b", "#3fa45b", "#c98500", "#a371f7", "#00a3a3", "#d6409f", "#7d8590"];
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 500.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 330.0;
/// False accepts per hour at both ends.
const X: (f64, f64) = (0.05, 100.0);
/// Missed at the top, %.
const Y: f64 = 50.0;

impl Plot {
    pub fn write(&self, file: &Path) {
        std::fs::create_dir_all(file.parent().expect("it lies in a folder")).expect("a folder for plots");
        std::fs::write(file, self.svg()).expect("a plot");
    }

    fn svg(&self) -> String {
        let x = |it: f64| LEFT + (RIGHT - LEFT) * (it.clamp(X.0, X.1) / X.0).ln() / (X.1 / X.0).ln();
        let y = |it: f64| BOTTOM - (BOTTOM - TOP) * it.clamp(0.0, Y) / Y;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
<style>text{{fill:#24292f}}.g{{stroke:#8c959f;stroke-opacity:.35}}.b{{fill:none}}\
@media(prefers-color-scheme:dark){{text{{fill:#d0d7de}}}}</style>\n\
<text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{}</text>\n",
            escaped(&self.title)
        );
        for at in [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0] {
            let x = x(at);
            let _ = writeln!(
                svg,
                "<path class=\"g\" d=\"M{x:.1} {TOP}V{BOTTOM}\"/><text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{at}</text>",
                BOTTOM + 16.0
            );
        }
        for at in [0.0, 10.0, 20.0, 30.0, 40.0, 50.0] {
            let y = y(at);
            let _ = writeln!(
                svg,
                "<path class=\"g\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/><text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{at}</text>",
                LEFT - 6.0,
                y + 4.0
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">false accepts per hour</text>",
            (LEFT + RIGHT) / 2.0,
            BOTTOM + 36.0
        );
        let _ = writeln!(
            svg,
            "<text transform=\"translate(20 {:.0}) rotate(-90)\" text-anchor=\"middle\">missed, %</text>",
            (TOP + BOTTOM) / 2.0
        );
        for (i, curve) in self.curves.iter().enumerate() {
            let color = COLORS[i % COLORS.len()];
            let dashes = if i >= COLORS.len() { " stroke-dasharray=\"5 3\"" } else { "" };
            let points: Vec<String> = curve.points.iter().map(|it| format!("{:.1},{:.1}", x(it.0), y(it.1))).collect();
            let _ = writeln!(
                svg,
                "<polyline class=\"b\" stroke=\"{color}\" stroke-width=\"2\"{dashes} points=\"{}\"/>",
                points.join(" ")
            );
            let at = TOP + 10.0 + 18.0 * i as f64;
            let _ = writeln!(
                svg,
                "<path stroke=\"{color}\" stroke-width=\"3\"{dashes} d=\"M{:.0} {at:.0}h22\"/><text x=\"{:.0}\" y=\"{:.0}\">{}</text>",
                RIGHT + 12.0,
                RIGHT + 40.0,
                at + 4.0,
                escaped(&curve.name)
            );
        }
        svg + "</svg>\n"
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
