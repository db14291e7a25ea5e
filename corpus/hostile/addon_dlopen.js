// @hostile addon_dlopen.js
// @group kern
// @tries compiles a native addon of its own at run time and loads it: native code inside an interpreter is held like any other
// @limits cpu=6 wall=15 mem=256 procs=64 out=1 disk=64
// @expect OK,RTE   (never an internal error)
// @check stdout~^(end|no compiler)$ ; stdout!~ESCAPED
// @severity hard
// @layer seccomp, capabilities
// @invariants up noproc nowrite noleft return<=18s
const fs = require('fs'), { spawnSync } = require('child_process');
fs.writeFileSync('own.c', `
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static void in_child(const char *what, long (*f)(void)) { pid_t p = fork(); if (!p) { if (f() >= 0) { printf("ESCAPED: %s\\n", what); fflush(stdout); } _exit(0); } waitpid(p, 0, 0); }
static long userns(void) { return unshare(CLONE_NEWUSER); }
static long mounts(void) { return mount("none", "/tmp", "tmpfs", 0, 0); }
static long trace(void) { return syscall(SYS_ptrace, 16, getppid(), 0, 0); }
static long root(void) { return setuid(0); }
void *napi_register_module_v1(void *env, void *exports) {
  in_child("user namespace", userns); in_child("mount", mounts); in_child("trace", trace); in_child("uid 0", root);
  puts("native code ran"); fflush(stdout); return exports; }
`);
const built = spawnSync('gcc', ['-shared', '-fPIC', '-O1', '-o', 'own.node', 'own.c']);
if (built.status !== 0) { console.log('no compiler'); process.exit(0); }
process.dlopen({ exports: {} }, require('path').resolve('own.node'));
console.log('end');
