//! Checkers that use testlib, compiled without any of its defines for other systems (`EJUDGE`, `CONTESTER`).
//!
//! Its exit codes are `OK` 0, `WA` 1, `PE` 2, `FAIL` 3, `DIRT` 4 (more output than expected), `POINTS` 7, and `UNEXPECTED_EOF` 8
//! where that is enabled. With `POINTS` the points of the test stand at the start of standard error: `points 3.5`.
//! testlib says each of these at the start of standard error as well. That is looked at for the codes that mean a wrong output:
//! 1 is also what the runtimes of several languages end with after an uncaught error. A checker that writes nothing there is
//! believed, one that writes something else is not: what looks like a crash is no verdict on an output.
//!
//! `quitf(_pc(n), …)` exits with `n` (50 + `n` with `TESTSYS`), which can be any of these codes: so it is told by the start of
//! standard error, `partially correct (n)`. `n` is from 0 to 200, all of the points, as in Codeforces' description.

use super::{CheckerOpinion, Said, decimal, partly, points};

/// What `_pc` counts as all of the points.
const WHOLE: u16 = 200;
/// Added to the exit code of `_pc` with `TESTSYS`.
const TESTSYS: u16 = 50;

pub(super) fn opinion(code: u8, said: &Said<'_>, worth: f64) -> CheckerOpinion {
    let stderr = said.stderr.trim_ascii_start();
    if let Some(n) = partially(stderr) {
        return match n {
            Some(n) if n <= WHOLE && [n, n + TESTSYS].contains(&u16::from(code)) => {
                partly(f64::from(n) / f64::from(WHOLE))
            }
            _ => CheckerOpinion::Failed(format!(
                "the checker says \"partially correct\" with exit code {code}; testlib's _pc(n) is from 0 to {WHOLE}, with \
                 exit code n or {TESTSYS} + n"
            )),
        };
    }
    match code {
        0 => CheckerOpinion::Accepted,
        1 => wrong(code, "wrong answer", stderr),
        2 | 4 => wrong(code, "wrong output format", stderr),
        8 => wrong(code, "unexpected eof", stderr),
        3 => CheckerOpinion::Failed("the checker says that it or the test is broken (testlib's _fail)".to_owned()),
        7 => match word_after(stderr, b"points ").and_then(decimal) {
            Some(got) => points(got, worth, "standard error"),
            None => CheckerOpinion::Failed(
                "the checker ended with exit code 7 (testlib's _points), but no \"points NUMBER\" is at the start of its \
                 standard error"
                    .to_owned(),
            ),
        },
        _ => CheckerOpinion::Failed(format!("the checker ended with exit code {code}, which testlib does not know")),
    }
}

fn wrong(code: u8, words: &str, stderr: &[u8]) -> CheckerOpinion {
    if stderr.is_empty() || stderr.starts_with(words.as_bytes()) {
        return CheckerOpinion::Wrong { share: 0.0 };
    }
    CheckerOpinion::Failed(format!(
        "the checker ended with exit code {code}, but its standard error does not begin with {words:?} as testlib's does, so it \
         may have crashed; let it say so, or nothing"
    ))
}

/// `Some(None)` where no number stands in the brackets.
fn partially(stderr: &[u8]) -> Option<Option<u16>> {
    let rest = stderr.strip_prefix(b"partially correct (")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&rest[..digits]).ok().and_then(|digits| digits.parse().ok());
    Some(number.filter(|_| rest.get(digits) == Some(&b')')))
}

fn word_after<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let rest = text.strip_prefix(prefix)?.trim_ascii_start();
    rest.split(u8::is_ascii_whitespace).next()
}
