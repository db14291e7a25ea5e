//! Node: its heap follows the limit, and runs out in words.

use serde_json::json;

use crate::common::live::{Up, live};
use crate::{said, stderr};

#[test]
fn the_old_space_follows_the_limit() {
    if !live() {
        return;
    }
    let up = Up::start();
    let mib = |mib: u64| mib << 20;
    let source = "console.log(require('v8').getHeapStatistics().heap_size_limit, process.execArgv.join())";
    let mut last = 0;
    for memory in [mib(48), mib(64), mib(256), mib(512), mib(1024)] {
        let request = json!({"language": "javascript", "source": source, "limits": {"memory_bytes": memory}});
        let words = said(&up, &request);
        let (heap, args) = words.trim().split_once(' ').unwrap();
        let heap: u64 = heap.parse().unwrap();
        assert!(heap > last && heap < memory, "{heap} of {memory}");
        assert!(memory < mib(256) || heap > memory / 2, "{heap} of {memory}: most of it is the program's");
        assert!(args.starts_with("--max-old-space-size="), "{args}");
        last = heap;
    }
    let hello = |memory: u64| json!({"language": "javascript", "source": "console.log('hello')", "limits": {"memory_bytes": memory}});
    assert_eq!(said(&up, &hello(mib(48))), "hello\n");
    let problem = up.call("POST", "/v1/executions", &hello(mib(48) - 1)).unwrap().problem(422, "limit_too_low");
    assert_eq!(problem["field"], "/limits/memory_bytes");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("JavaScript") && detail.contains("50331648"), "{detail}");

    for memory in [mib(48), mib(96), mib(512)] {
        let source = "const all = []; for (;;) all.push({ some: [1, 2, 3, all.length], more: 'x' + all.length })";
        let limits = json!({"memory_bytes": memory, "cpu_time_ms": 60_000, "wall_time_ms": 60_000});
        let result = up.run(&json!({"language": "javascript", "source": source, "limits": limits}));
        assert!(["signalled", "runtime_error"].contains(&result["verdict"].as_str().unwrap()), "{result}");
        assert_eq!(result["reason"]["hint"], "heap", "{result}");
        assert!(stderr(&result["run"]).contains("JavaScript heap out of memory"), "{result}");
        assert!(result["run"]["usage"]["memory_peak_bytes"].as_u64().unwrap() > memory / 3, "{result}");
    }
    up.stop();
}
