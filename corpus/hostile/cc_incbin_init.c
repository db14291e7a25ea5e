// @hostile cc_incbin_init.c
// @group compile
// @tries takes init's memory, environment and descriptors into the program with the assembler
// @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect CE   (never an internal error)
// @severity hard
// @layer uid, user_ns
// @invariants up noproc nowrite noleft return<=18s
#include <stdio.h>
__asm__(".data\n.global b,e\nb:\n.incbin \"/proc/1/environ\"\n.incbin \"/proc/1/mem\", 0, 64\n.incbin \"/proc/1/maps\"\n.incbin \"/proc/1/root/etc/shadow\"\ne: .byte 0\n");
extern char b[], e[];
int main(void) { fwrite(b, 1, e - b, stdout); return 0; }
