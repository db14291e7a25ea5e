//! A drawing as SVG: lines, boxes and words, which is all that the plots of reports need.

use std::fmt::Write as _;

/// A drawing under way.
#[derive(Debug)]
pub struct Svg(String);

impl Svg {
    /// A white sheet.
    pub fn new(wide: f64, high: f64) -> Self {
        let mut svg = Svg(String::new());
        svg.add(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" font-family=\"sans-serif\" font-size=\"11\">"
        ));
        svg.area(0.0, 0.0, wide, high, "white");
        svg
    }

    /// A sheet without a ground, whose elements have their colours by the classes of a style sheet.
    pub fn styled(wide: f64, high: f64, style: &str) -> Self {
        let mut svg = Svg(String::new());
        svg.add(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" width=\"{wide}\" height=\"{high}\" \
             font-family=\"sans-serif\" font-size=\"10.5\">\n<style>\n{style}</style>"
        ));
        svg
    }

    /// Words at a place, of a class.
    pub fn classed(&mut self, (x, y): (f64, f64), anchor: &str, class: &str, words: &str) {
        let words = escaped(words);
        self.add(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
        ));
    }

    /// A box of a class.
    pub fn block(&mut self, (x, y): (f64, f64), (wide, high): (f64, f64), class: &str) {
        self.add(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\" rx=\"2\"/>"
        ));
    }

    /// A line of a class through points; as a face, closed and filled.
    pub fn path(&mut self, points: &[(f64, f64)], face: bool, class: &str) {
        let shape = if face { "polygon" } else { "polyline" };
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.add(format_args!("<{shape} class=\"{class}\" points=\"{}\"/>", points.join(" ")));
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        writeln!(self.0, "{element}").unwrap_or_default();
    }

    /// Words that begin at a place.
    pub fn words(&mut self, x: f64, y: f64, words: &str) {
        self.anchored(x, y, "start", words);
    }

    /// Words that end at a place.
    pub fn words_before(&mut self, x: f64, y: f64, words: &str) {
        self.anchored(x, y, "end", words);
    }

    fn anchored(&mut self, x: f64, y: f64, anchor: &str, words: &str) {
        let words = escaped(words);
        self.add(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"));
    }

    /// A box that is filled.
    pub fn area(&mut self, x: f64, y: f64, wide: f64, high: f64, fill: &str) {
        self.add(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\" fill=\"{fill}\"/>"
        ));
    }

    /// A box by its edges.
    pub fn frame(&mut self, x: f64, y: f64, wide: f64, high: f64) {
        self.add(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\" fill=\"none\" stroke=\"#ccc\"/>"
        ));
    }

    /// A line through points.
    pub fn line(&mut self, points: &[(f64, f64)], stroke: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.add(format_args!("<polyline points=\"{}\" fill=\"none\" stroke=\"{stroke}\"/>", points.join(" ")));
    }

    /// The file.
    pub fn end(self) -> String {
        self.0 + "</svg>\n"
    }
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_escaped() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.words(1.0, 2.0, "a <b> & c");
        let text = svg.end();
        assert!(text.contains(">a &lt;b&gt; &amp; c</text>") && text.ends_with("</svg>\n"), "{text}");
    }
}
