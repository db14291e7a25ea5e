//! Which system calls are allowed, refused, deadly; those whose arguments decide stand in the parent module.

/// Declares a table of system calls: the constant's name (`SYS_` before the call's) and its number.
macro_rules! table {
    ($(#[$doc:meta])* $table:ident: $($call:ident)*) => {
        $(#[$doc])*
        pub(super) const $table: &[(&str, libc::c_long)] = &[$((stringify!($call), libc::$call)),*];
    };
}

table! {
    /// Made without a look at the arguments: files, memory, processes, signals, time, sockets, IPC.
    /// `mknod` makes FIFOs and plain files; devices need a capability.
    ALLOWED:
        SYS_read SYS_write SYS_open SYS_close SYS_stat SYS_fstat SYS_lstat SYS_poll SYS_lseek SYS_mprotect SYS_munmap
        SYS_brk SYS_rt_sigaction SYS_rt_sigprocmask SYS_rt_sigreturn SYS_pread64 SYS_pwrite64 SYS_readv SYS_writev
        SYS_access SYS_pipe SYS_select SYS_sched_yield SYS_mremap SYS_mincore SYS_madvise SYS_shmat SYS_shmctl SYS_dup
        SYS_dup2 SYS_pause SYS_nanosleep SYS_getitimer SYS_alarm SYS_setitimer SYS_getpid SYS_sendfile SYS_connect
        SYS_accept SYS_sendto SYS_recvfrom SYS_sendmsg SYS_recvmsg SYS_shutdown SYS_bind SYS_listen SYS_getsockname
        SYS_getpeername SYS_getsockopt SYS_fork SYS_vfork SYS_execve SYS_exit SYS_wait4 SYS_kill SYS_uname SYS_semget
        SYS_semop SYS_semctl SYS_shmdt SYS_msgget SYS_msgsnd SYS_msgrcv SYS_msgctl SYS_fcntl SYS_flock SYS_truncate
        SYS_ftruncate SYS_getdents SYS_getcwd SYS_chdir SYS_fchdir SYS_rename SYS_mkdir SYS_rmdir SYS_creat SYS_link
        SYS_unlink SYS_symlink SYS_readlink SYS_chmod SYS_fchmod SYS_chown SYS_fchown SYS_lchown SYS_umask
        SYS_gettimeofday SYS_getrlimit SYS_getrusage SYS_sysinfo SYS_times SYS_getuid SYS_getgid SYS_setuid SYS_setgid
        SYS_geteuid SYS_getegid SYS_setpgid SYS_getppid SYS_getpgrp SYS_setsid SYS_setreuid SYS_setregid SYS_getgroups
        SYS_setresuid SYS_getresuid SYS_setresgid SYS_getresgid SYS_getpgid SYS_setfsuid SYS_setfsgid SYS_getsid
        SYS_capget SYS_rt_sigpending SYS_rt_sigtimedwait SYS_rt_sigqueueinfo SYS_rt_sigsuspend SYS_sigaltstack
        SYS_utime SYS_mknod SYS_statfs SYS_fstatfs SYS_getpriority SYS_setpriority SYS_sched_setparam
        SYS_sched_getparam SYS_sched_setscheduler SYS_sched_getscheduler SYS_sched_get_priority_max
        SYS_sched_get_priority_min SYS_sched_rr_get_interval SYS_mlock SYS_munlock SYS_mlockall SYS_munlockall
        SYS_arch_prctl SYS_setrlimit SYS_gettid SYS_readahead SYS_getxattr SYS_lgetxattr SYS_fgetxattr SYS_listxattr
        SYS_llistxattr SYS_flistxattr SYS_removexattr SYS_lremovexattr SYS_fremovexattr SYS_tkill SYS_time SYS_futex
        SYS_sched_setaffinity SYS_sched_getaffinity SYS_epoll_create SYS_getdents64 SYS_set_tid_address
        SYS_restart_syscall SYS_semtimedop SYS_timer_create SYS_timer_settime SYS_timer_gettime SYS_timer_getoverrun
        SYS_timer_delete SYS_clock_gettime SYS_clock_getres SYS_clock_nanosleep SYS_exit_group SYS_epoll_wait
        SYS_epoll_ctl SYS_tgkill SYS_utimes SYS_mq_open SYS_mq_unlink SYS_mq_timedsend SYS_mq_timedreceive
        SYS_mq_notify SYS_mq_getsetattr SYS_waitid SYS_ioprio_set SYS_ioprio_get SYS_inotify_init
        SYS_inotify_add_watch SYS_inotify_rm_watch SYS_openat SYS_mkdirat SYS_mknodat SYS_fchownat SYS_futimesat
        SYS_newfstatat SYS_unlinkat SYS_renameat SYS_linkat SYS_symlinkat SYS_readlinkat SYS_fchmodat SYS_faccessat
        SYS_pselect6 SYS_ppoll SYS_set_robust_list SYS_get_robust_list SYS_splice SYS_tee SYS_utimensat
        SYS_epoll_pwait SYS_signalfd SYS_timerfd_create SYS_eventfd SYS_fallocate SYS_timerfd_settime
        SYS_timerfd_gettime SYS_accept4 SYS_signalfd4 SYS_eventfd2 SYS_epoll_create1 SYS_dup3 SYS_pipe2
        SYS_inotify_init1 SYS_preadv SYS_pwritev SYS_rt_tgsigqueueinfo SYS_recvmmsg SYS_prlimit64 SYS_sendmmsg
        SYS_getcpu SYS_sched_setattr SYS_sched_getattr SYS_renameat2 SYS_getrandom SYS_execveat SYS_membarrier
        SYS_mlock2 SYS_copy_file_range SYS_preadv2 SYS_pwritev2 SYS_pkey_mprotect SYS_pkey_alloc SYS_pkey_free
        SYS_statx SYS_rseq SYS_pidfd_send_signal SYS_pidfd_open SYS_close_range SYS_openat2 SYS_faccessat2
        SYS_epoll_pwait2 SYS_futex_waitv SYS_get_mempolicy SYS_fchmodat2 SYS_mseal
}

table! {
    /// Known, and answered EPERM: administration, keys, profiling, handles, other ways into the kernel that a program
    /// can do without. `io_uring` because it makes calls that no filter sees.
    REFUSED:
        SYS_add_key SYS_request_key SYS_keyctl SYS_io_uring_setup SYS_io_uring_enter SYS_io_uring_register
        SYS_userfaultfd SYS_perf_event_open SYS_acct SYS_swapon SYS_swapoff SYS_reboot SYS_settimeofday
        SYS_clock_settime SYS_clock_adjtime SYS_adjtimex SYS_sethostname SYS_setdomainname SYS_iopl SYS_ioperm
        SYS_quotactl SYS_quotactl_fd SYS_syslog SYS_vhangup SYS_chroot SYS_fanotify_init SYS_fanotify_mark
        SYS_name_to_handle_at SYS_pidfd_getfd SYS_process_madvise SYS_process_mrelease SYS_kcmp SYS_migrate_pages
        SYS_move_pages SYS_mbind SYS_set_mempolicy SYS_set_mempolicy_home_node SYS_seccomp
        SYS_landlock_create_ruleset SYS_landlock_add_rule SYS_landlock_restrict_self SYS_modify_ldt SYS_memfd_secret
        SYS_remap_file_pages SYS_vmsplice SYS_setgroups SYS_capset SYS_io_setup SYS_io_destroy SYS_io_submit
        SYS_io_cancel SYS_io_getevents SYS_lookup_dcookie SYS_ustat SYS_sysfs
}

table! {
    /// Attempts to leave or to look into others. No honest program needs them, so the attempt ends it. The list of
    /// `spec/attempts.rs` has the same names in the same order.
    KILLED:
        SYS_kexec_load SYS_kexec_file_load SYS_init_module SYS_finit_module SYS_delete_module SYS_bpf SYS_ptrace
        SYS_process_vm_readv SYS_process_vm_writev SYS_mount SYS_umount2 SYS_pivot_root SYS_move_mount SYS_open_tree
        SYS_fsopen SYS_fsconfig SYS_fsmount SYS_fspick SYS_mount_setattr SYS_setns SYS_open_by_handle_at
}

table! {
    /// What a service makes without a look at the arguments: its descriptors, files where landlock lets it, memory,
    /// threads, time, and questions about itself. Measured under the tests and the corpus, with what std, tokio, glibc
    /// and a store in SQLite use in rarer moments.
    SERVES:
        SYS_read SYS_write SYS_readv SYS_writev SYS_pread64 SYS_pwrite64 SYS_preadv SYS_pwritev SYS_lseek SYS_close
        SYS_openat SYS_stat SYS_fstat SYS_lstat SYS_newfstatat SYS_statx SYS_access SYS_faccessat SYS_faccessat2
        SYS_readlink SYS_readlinkat SYS_getcwd SYS_getdents64 SYS_statfs SYS_fstatfs SYS_fsync SYS_fdatasync
        SYS_ftruncate SYS_fallocate SYS_fadvise64 SYS_flock SYS_rename SYS_renameat SYS_renameat2 SYS_unlink
        SYS_unlinkat SYS_mkdir SYS_mkdirat SYS_rmdir SYS_fchmod SYS_utimensat SYS_copy_file_range SYS_sendfile SYS_splice
        SYS_pipe2 SYS_dup SYS_poll SYS_ppoll SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_wait
        SYS_epoll_pwait SYS_epoll_pwait2 SYS_eventfd2 SYS_timerfd_create SYS_timerfd_settime SYS_timerfd_gettime
        SYS_accept SYS_accept4 SYS_connect SYS_shutdown SYS_getsockname SYS_getpeername SYS_getsockopt
        SYS_recvfrom SYS_recvmsg SYS_munmap SYS_mremap SYS_brk SYS_madvise SYS_msync SYS_membarrier SYS_futex
        SYS_futex_waitv SYS_set_robust_list SYS_rseq SYS_set_tid_address SYS_sched_yield SYS_sched_getaffinity
        SYS_getcpu SYS_rt_sigaction SYS_rt_sigprocmask SYS_rt_sigreturn SYS_sigaltstack SYS_restart_syscall
        SYS_nanosleep SYS_clock_nanosleep SYS_clock_gettime SYS_clock_getres SYS_gettimeofday SYS_time
        SYS_getrandom SYS_uname SYS_sysinfo SYS_getrusage SYS_getrlimit SYS_getpid SYS_gettid SYS_getppid
        SYS_getuid SYS_geteuid SYS_getgid SYS_getegid SYS_getgroups SYS_capget SYS_exit SYS_exit_group
}

table! {
    /// The ways to another program or process, which a service has no use for. They kill it; so does a `clone` that
    /// makes no thread.
    BECOMES:
        SYS_execve SYS_execveat SYS_fork SYS_vfork
}
