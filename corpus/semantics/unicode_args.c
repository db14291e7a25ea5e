// @benign unicode_args.c
// @what arguments arrive as bytes: UTF-8, blanks, quotes, an empty one, one that looks like an option; none goes through a shell
// @limits cpu=5 wall=10
// @args žluť|a b|"quoted" 'too'||--help|$HOME `id` *|𝄞
// @expect exit=0
// @expect out=7 arguments, argv[argc] NULL, argv[0] set\n1 [žluť] 6 bytes, 4 code points, 4 UTF-16 units\n2 [a b] 3 bytes, 3 code points, 3 UTF-16 units\n3 ["quoted" 'too'] 14 bytes, 14 code points, 14 UTF-16 units\n4 [] 0 bytes, 0 code points, 0 UTF-16 units\n5 [--help] 6 bytes, 6 code points, 6 UTF-16 units\n6 [$HOME `id` *] 12 bytes, 12 code points, 12 UTF-16 units\n7 [𝄞] 4 bytes, 1 code points, 2 UTF-16 units
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    printf("%d arguments, argv[argc] %s, argv[0] %s\n", argc - 1, argv[argc] ? "set" : "NULL",
        argv[0][0] ? "set" : "empty");
    for (int i = 1; i < argc; i++) {
        int points = 0, units = 0;
        for (const unsigned char *p = (unsigned char *)argv[i]; *p; p++) {
            points += (*p & 0xc0) != 0x80;  /* every byte that does not continue a character */
            units += ((*p & 0xc0) != 0x80) + (*p >= 0xf0);  /* beyond U+FFFF a pair of UTF-16 units */
        }
        printf("%d [%s] %zu bytes, %d code points, %d UTF-16 units\n", i, argv[i], strlen(argv[i]), points, units);
    }
    return 0;
}
