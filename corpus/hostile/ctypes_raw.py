# @hostile ctypes_raw.py
# @group kern
# @tries raw system calls by number from an interpreter, each in a child of its own: what is refused is refused without a C compiler too
# @limits cpu=4 wall=10 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE   (never an internal error)
# @check stdout~^tried \d+$ ; stdout!~ESCAPED
# @severity hard
# @layer seccomp, pid_ns
# @invariants up noproc nowrite noleft return<=13s
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(4096)
CALLS = [('ptrace', 101, 16, 1, 0, 0), ('process_vm_readv', 310, 1, buffer, 0, buffer, 0, 0), ('mount', 165, b'none', b'/tmp', b'tmpfs', 0, 0), ('chroot', 161, b'/tmp'), ('unshare', 272, 0x10000000),
         ('setns', 308, 0, 0), ('pivot_root', 155, b'/tmp', b'/tmp'), ('bpf', 321, 0, buffer, 48), ('perf_event_open', 298, buffer, 0, -1, -1, 0), ('userfaultfd', 323, 0), ('io_uring_setup', 425, 8, buffer),
         ('kexec_load', 246, 0, 0, 0, 0), ('init_module', 175, buffer, 4096, b''), ('open_by_handle_at', 304, -100, buffer, 0), ('sethostname', 170, b'h7391', 5), ('swapon', 167, b'/box/main.py', 0),
         ('reboot', 169, 0xfee1dead, 672274793, 0), ('settimeofday', 164, buffer, 0), ('quotactl', 179, 0, 0, 0, buffer), ('acct', 163, b'/box/main.py'), ('iopl', 172, 3), ('mknod', 133, b'/box/disk', 0o060666, 2048),
         ('pidfd_getfd', 438, 3, 0, 0), ('fsopen', 430, b'tmpfs', 0), ('landlock_create_ruleset', 444, buffer, 8, 7)]
for name, number, *args in CALLS:
    child = os.fork()
    if child == 0:
        if libc.syscall(number, *args) >= 0: os.write(1, b'ESCAPED: %s\n' % name.encode())
        os._exit(0)
    os.waitpid(child, 0)
print('tried', len(CALLS))
