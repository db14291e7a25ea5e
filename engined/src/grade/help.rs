//! What `engined batch --help` says beside its options.

/// What it does, and how it ends.
pub const ABOUT: &str = "\
Grade: have programs judged by tests, and write a table, results.jsonl, results.csv, submissions.csv and junit.xml

The engine is the one that is named, the installed one, or one that is started for the batch where none serves.
Test data above 64 KiB is sent once, as blobs. The batch has a key made of its content: the same command again, after
Ctrl-C or a power cut, finds its batch and goes on after the last result that stands in results.jsonl.

submissions.csv has the grades, and results.csv what they are made of: points of a line are those before its group's rule.

Exit code 0: every submission is accepted, or with --labels as labelled; 1: some are not; 2: a mistake in the command
or the folder, a failure of ours, or results that could not be judged, as the checker or the engine has failed; 130:
interrupted.";

/// The format of a folder.
pub const FOLDER: &str = "\
The folder:
  tests/NAME.in             what the program reads; may be empty
  tests/NAME.ans            what it should write; without it a run that ends well is accepted
  tests/NAME.toml           group, points, args, env, limits of this test
  tests/GROUP/NAME.in …     tests of a group
  tests/GROUP/group.toml    rule = \"all\" | \"sum\" | \"min\"; points, args, env, limits of each of its tests
  submissions/NAME.EXT      a program of one file, its language by the suffix
  submissions/NAME/         a program of several files
  submissions/LABEL/…       the same with the verdict that is expected: accepted, wrong_answer, cpu_time_limit,
                            memory_limit, runtime_error, compile_error, output_limit, partial, …
  batch.toml                all of it optional, keys as in the API:
    stop = \"never\" | \"first_failure\" | \"group\"
    repeat = 1
    feedback = \"full\" | \"verdict_only\"
    points = 1              of each test that says nothing else
    [checker]               kind = \"lines\" | \"exact\" | \"tokens\" | \"float\" | \"unordered_lines\" | \"program\"
    [checker.program]       file = \"checker/check.EXT\" or folder = \"checker\"; protocol = \"kattis\" | \"testlib\"
    [limits]                cpu_time_ms, wall_time_ms, memory_bytes, output_bytes, …
    [compile_limits]        of each compile
    [limits_by_language.ID] of runs in one language
    [[groups]]              id, rule
    [labels]                words to find the batch by
    [languages]             \".SUFFIX\" = \"ID\", where the suffix does not say it
Files are taken in natural order: 2 before 10. Names that begin with a dot, README*, LICENSE* and generate* are no tests.";
