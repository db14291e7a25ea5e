// @hostile wasm_memory.js
// @group mem
// @tries grows WebAssembly memories and shared buffers, which are mapped outside the heap, and touches each page
// @limits cpu=8 wall=16 mem=128 procs=64 out=1 disk=64
// @expect MLE,RTE   (never an internal error)
// @severity hard
// @layer cgroup_memory
// @invariants up noproc nowrite noleft return<=19s
const held = [];
for (;;) {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536 });
  held.push(memory);
  try { for (let pages = 16; pages < 4096; pages *= 2) { memory.grow(pages); new Uint8Array(memory.buffer).fill(1); } } catch (e) { if (held.length > 10000) throw e; }
  held.push(new Uint8Array(new SharedArrayBuffer(1 << 22)).fill(1));
}
