//! How rules become the instructions that the kernel takes.

use std::collections::BTreeMap;

use seccompiler::{BpfProgram, sock_filter};

use super::{Answer, ENOSYS, Rule, Test};

// The instructions of classic BPF, see linux/bpf_common.h: class | size or operation | source.
pub(super) const LOAD_WORD: u16 = 0x20;
pub(super) const JUMP: u16 = 0x05;
pub(super) const JUMP_EQUAL: u16 = 0x15;
pub(super) const JUMP_AT_LEAST: u16 = 0x35;
pub(super) const JUMP_ANY_BIT: u16 = 0x45;
pub(super) const RETURN: u16 = 0x06;
/// Offsets in struct seccomp_data: number, architecture, low half of the first argument (little-endian).
pub(super) const OFFSET_NUMBER: u32 = 0;
pub(super) const OFFSET_ARCH: u32 = 4;
pub(super) const OFFSET_ARGUMENTS: u32 = 16;
/// AUDIT_ARCH_X86_64, see linux/audit.h.
pub(super) const ARCH_X86_64: u32 = 0xc000_003e;
/// Bit 30 of the number selects the x32 table.
pub(super) const X32: u32 = 0x4000_0000;

pub(super) fn op(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn give(answer: Answer) -> sock_filter {
    op(RETURN, answer.value(), 0, 0)
}

/// Lays the rules out: architecture, x32, then the tree over runs of neighbouring numbers with the same rule, which is
/// `unknown` where there is none.
pub(super) fn compile(rules: &BTreeMap<libc::c_long, Rule>, unknown: Rule) -> BpfProgram {
    let mut runs: Vec<(u32, Rule)> = vec![(0, rules.get(&0).unwrap_or(&unknown).clone())];
    let last = rules.keys().next_back().copied().unwrap_or(0);
    for number in 1..=last + 1 {
        let rule = rules.get(&number).unwrap_or(&unknown);
        if runs.last().is_none_or(|(_, before)| before != rule) {
            runs.push((u32::try_from(number).unwrap_or(X32), rule.clone()));
        }
    }
    let mut program = vec![
        op(LOAD_WORD, OFFSET_ARCH, 0, 0),
        op(JUMP_EQUAL, ARCH_X86_64, 1, 0),
        give(Answer::Kill),
        op(LOAD_WORD, OFFSET_NUMBER, 0, 0),
        // -1 is no x32 call: programs pass it to learn whether there is a kernel at all, and get ENOSYS.
        op(JUMP_EQUAL, u32::MAX, 0, 1),
        give(Answer::Errno(ENOSYS)),
        op(JUMP_ANY_BIT, X32, 0, 1),
        give(Answer::Kill),
    ];
    program.extend(tree(&runs, u32::MAX));
    program
}

/// The middle run decides between the two halves of what ends before `end`. Offsets of conditional jumps have 8 bits; where they do not reach, the way
/// to the upper half is a plain jump, which has 32.
fn tree(runs: &[(u32, Rule)], end: u32) -> BpfProgram {
    if let Some(program) = few(runs, end) {
        return program;
    }
    match runs {
        [] => vec![give(Answer::Errno(ENOSYS))],
        [(_, rule)] => leaf(rule),
        _ => {
            let (lower, upper) = runs.split_at(runs.len() / 2);
            let below = tree(lower, upper[0].0);
            let mut program = match u8::try_from(below.len()) {
                Ok(near) => vec![op(JUMP_AT_LEAST, upper[0].0, near, 0)],
                Err(_) => vec![
                    op(JUMP_AT_LEAST, upper[0].0, 0, 1),
                    op(JUMP, u32::try_from(below.len()).unwrap_or(u32::MAX), 0, 0),
                ],
            };
            program.extend(below);
            program.extend(tree(upper, end));
            program
        }
    }
}

/// A list is shorter than a tree where single numbers stand among many that are answered alike: so it is with the filters
/// that are translated for every run.
pub(super) const LISTED: usize = 9;

/// The list, if that is how these runs are: a comparison for each number, then the common answer, then the others.
fn few(runs: &[(u32, Rule)], end: u32) -> Option<BpfProgram> {
    let ends = runs.iter().skip(1).map(|(first, _)| *first).chain([end]);
    let spans: Option<Vec<(u32, u32, Answer)>> = runs
        .iter()
        .zip(ends)
        .map(|((first, rule), end)| if let Rule::Always(answer) = rule { Some((*first, end, *answer)) } else { None })
        .collect();
    let spans = spans.filter(|spans| spans.len() > 2)?;
    let (_, _, common) = *spans.iter().max_by_key(|(first, end, _)| end - first)?;
    let others = spans.into_iter().filter(|(_, _, answer)| *answer != common);
    let numbers = others.flat_map(|(first, end, answer)| (first..end).map(move |number| (number, answer)));
    let numbers: Vec<(u32, Answer)> = numbers.take(LISTED + 1).collect();
    if numbers.len() > LISTED {
        return None;
    }
    let mut answers: Vec<Answer> = Vec::new();
    for (_, answer) in &numbers {
        if !answers.contains(answer) {
            answers.push(*answer);
        }
    }
    let mut program = Vec::new();
    for (index, (number, answer)) in numbers.iter().enumerate() {
        // Over the comparisons that are left and the common answer.
        let place = answers.iter().position(|known| known == answer)?;
        program.push(op(JUMP_EQUAL, *number, u8::try_from(numbers.len() - index + place).ok()?, 0));
    }
    program.push(give(common));
    program.extend(answers.into_iter().map(give));
    Some(program)
}

fn leaf(rule: &Rule) -> BpfProgram {
    match rule {
        Rule::Always(answer) => vec![give(*answer)],
        Rule::When(tests, then, otherwise) => all(tests, *then, *otherwise),
        Rule::Split(argument, cases, other) => {
            let mut program = vec![op(LOAD_WORD, OFFSET_ARGUMENTS + 8 * argument, 0, 0)];
            for (value, rule) in cases {
                // What stands in between ends with an answer, so the argument is still loaded at the next comparison.
                let rule = leaf(rule);
                program.push(op(JUMP_EQUAL, *value, 0, u8::try_from(rule.len()).unwrap_or(u8::MAX)));
                program.extend(rule);
            }
            program.extend(leaf(other));
            program
        }
    }
}

/// Answers `then` when every test holds.
fn all(tests: &[Test], then: Answer, otherwise: Answer) -> BpfProgram {
    let mut program: BpfProgram = tests.iter().flat_map(|test| check(test, otherwise)).collect();
    program.push(give(then));
    program
}

/// Falls through to what follows when the test holds, else answers.
fn check(test: &Test, otherwise: Answer) -> BpfProgram {
    let (argument, comparisons, listed_holds) = match test {
        Test::OneOf(argument, values) => (argument, comparisons(JUMP_EQUAL, values), true),
        Test::NoneOf(argument, values) => (argument, comparisons(JUMP_EQUAL, values), false),
        Test::NoBits(argument, bits) => (argument, comparisons(JUMP_ANY_BIT, &[*bits]), false),
    };
    let mut program = vec![op(LOAD_WORD, OFFSET_ARGUMENTS + 8 * argument, 0, 0)];
    let many = comparisons.len();
    for (index, (code, value)) in comparisons.into_iter().enumerate() {
        // Over the comparisons that are left; where a match holds, over the answer too. The lists are short.
        let onward = u8::try_from(many - index - 1).unwrap_or(u8::MAX);
        let (matched, unmatched) = match (listed_holds, index + 1 == many) {
            (true, _) => (onward + 1, 0),
            (false, true) => (0, 1),
            (false, false) => (onward, 0),
        };
        program.push(op(code, value, matched, unmatched));
    }
    program.push(give(otherwise));
    program
}

fn comparisons(code: u16, values: &[u32]) -> Vec<(u16, u32)> {
    values.iter().map(|value| (code, *value)).collect()
}
