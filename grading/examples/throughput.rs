//! How fast outputs are compared: `cargo run --release -p grading --example throughput [MB]`.

use std::io::{self, Read};
use std::time::Instant;

use grading::AtMost;
use grading::compare::{MOST_HELD, Rule, Tolerance};

/// Numbers, several on a line, of which one in ten differs in its form where `loose`.
struct Numbers {
    block: Vec<u8>,
    at: usize,
    left: usize,
}

impl Numbers {
    fn new(bytes: usize, loose: bool) -> Numbers {
        let mut block = String::new();
        for n in 0_u64..20_000 {
            let number = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 1_000_000_007;
            let end = if n % 8 == 7 { "\n" } else { " " };
            let form = if loose && n % 10 == 0 { ".50" } else { ".5" };
            block.push_str(&format!("{number}{form}{end}"));
        }
        // As many numbers, whatever their form.
        let left = bytes / 250_000 * block.len();
        Numbers { block: block.into_bytes(), at: 0, left }
    }
}

impl Read for Numbers {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = (self.block.len() - self.at).min(buffer.len()).min(self.left);
        buffer[..n].copy_from_slice(&self.block[self.at..self.at + n]);
        self.at = (self.at + n) % self.block.len();
        self.left -= n;
        Ok(n)
    }
}

fn main() -> io::Result<()> {
    let megabytes = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(500);
    let float = Rule::Float(Tolerance::new(None, None));
    for (name, rule, loose) in [
        ("exact", Rule::Exact, false),
        ("lines", Rule::Lines, false),
        ("tokens", Rule::Tokens, false),
        ("float, all the same", float, false),
        ("float, one in ten in another form", float, true),
        ("unordered_lines", Rule::UnorderedLines, false),
    ] {
        let (expected, mut output) = (Numbers::new(megabytes << 20, false), Numbers::new(megabytes << 20, loose));
        let began = Instant::now();
        let mut compare = rule.against(Box::new(expected), Box::new(AtMost(MOST_HELD)));
        let mut piece = vec![0; 256 << 10];
        let mut bytes = 0_usize;
        loop {
            let n = output.read(&mut piece)?;
            if n == 0 {
                break;
            }
            compare.feed(&piece[..n])?;
            bytes += n;
        }
        let opinion = compare.finish()?;
        let mib = bytes >> 20;
        println!("{name}: {mib} MiB in {:.2} s: {opinion:?}", began.elapsed().as_secs_f64());
    }
    Ok(())
}
