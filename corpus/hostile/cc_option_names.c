// @hostile cc_option_names.c
// @group compile
// @tries sources named like options of the compiler and like files of options: a name must never be one
// @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,CE   (never an internal error)
// @check stdout~^end$ ; stdout!~ESCAPED
// @file -DBY_NAME=1.c:"int\ by_name;"
// @file @options.c:"int\ by_options;"
// @file -include.c:"int\ by_include;"
// @file -o.c:"int\ by_output;"
// @file -wrapper.c:"int\ by_wrapper;"
// @severity hard
// @layer api
// @invariants up noproc nowrite noleft return<=18s
#include <stdio.h>
int main(void) {
#ifdef BY_NAME
    puts("ESCAPED: a file's name was an option");
#endif
    puts("end");
    return 0;
}
