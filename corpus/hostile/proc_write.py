# @hostile proc_write.py
# @group kern
# @tries writes to every file below /proc/sys and /sys, and to sysrq, kcore, kmsg and the tunables of the kernel
# @limits cpu=3 wall=8 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE   (never an internal error)
# @check stdout~^tried \d+$ ; stdout!~ESCAPED
# @severity hard
# @layer tree, uid, landlock
# @invariants up noproc nowrite noleft return<=11s
import os
tried = 0
paths = ['/proc/sysrq-trigger', '/proc/kcore', '/proc/kmsg', '/dev/kmsg', '/dev/mem', '/dev/port', '/proc/timer_list', '/proc/mtrr', '/proc/acpi/wakeup',
         '/proc/scsi/scsi', '/proc/irq/default_smp_affinity', '/sys/kernel/uevent_helper', '/sys/power/state']
for root in ('/proc/sys', '/sys'):
    for folder, _, files in os.walk(root): paths += [os.path.join(folder, name) for name in files]
for path in paths:
    tried += 1
    try: fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError: continue
    # What belongs to a namespace of its own may be offered for writing; nothing may be taken.
    try: os.write(fd, b'1'); print('ESCAPED: wrote', path)
    except OSError: pass
    os.close(fd)
print('tried', tried)
