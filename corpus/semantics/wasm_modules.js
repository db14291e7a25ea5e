// @benign wasm_modules.js
// @what WebAssembly made by hand: calls both ways, memory that grows inside a large reserved range, traps as errors
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=42 told 42\n1 3 65536 0 7\nRuntimeError RuntimeError CompileError\ntrue
const section = (id, ...bytes) => [id, bytes.length, ...bytes];
const name = (text) => [text.length, ...Buffer.from(text)];
const body = (...code) => [code.length + 2, 0, ...code, 0x0b];
const module_ = Uint8Array.from([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
  ...section(1, 3, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 0x60, 1, 0x7f, 0, 0x60, 0, 0),  // (i32, i32) i32; (i32); ()
  ...section(2, 1, ...name('js'), ...name('tell'), 0, 1),
  ...section(3, 3, 0, 0, 2),
  ...section(5, 1, 1, 1, 10),  // memory of 1 page, at most 10
  ...section(7, 4, ...name('add'), 0, 1, ...name('div'), 0, 2, ...name('trap'), 0, 3, ...name('mem'), 2, 0),
  ...section(10, 3, ...body(0x20, 0, 0x20, 1, 0x6a, 0x10, 0, 0x20, 0, 0x20, 1, 0x6a),
    ...body(0x20, 0, 0x20, 1, 0x6d), ...body(0x00)),
]);
const error = (work) => { try { work(); return 'none'; } catch (e) { return e.name; } };
(async () => {
  let told;
  const { instance: { exports: { add, div, trap, mem } } } =
    await WebAssembly.instantiate(module_, { js: { tell: (n) => { told = n; } } });
  console.log(add(40, 2), 'told', told);
  const before = mem.buffer;
  console.log(mem.grow(2), mem.buffer.byteLength / 65536, 65536, before.byteLength, div(22, 3));
  console.log(error(() => div(1, 0)), error(trap), error(() => new WebAssembly.Module(Uint8Array.of(0, 1))));
  const many = Array.from({ length: 4 }, () => new WebAssembly.Memory({ initial: 1, maximum: 65536 }));
  console.log(many.every((m) => m.buffer.byteLength === 65536));
})();
