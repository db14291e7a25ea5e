// @benign iconv_tables.c
// @what iconv loads its conversion modules from below /usr, which have to be readable and mappable as code
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=UTF-8 -> UTF-16LE: e9 00 34 d8 1e dd\nUTF-8 -> ISO-8859-1: 63 61 66 e9\nISO-8859-1 -> UTF-8: 6e 61 c3 af 76 65\nUTF-8 -> UTF-8: 6f 6b (illegal)\nUTF-8 -> ISO-8859-1: 73 6e 6f 77 20 (illegal)\nUTF-8 -> NO-SUCH-CHARSET unknown
#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <string.h>

static void convert(const char *to, const char *from, const char *text)
{
    iconv_t cd = iconv_open(to, from);
    if (cd == (iconv_t)-1) { printf("%s -> %s unknown\n", from, to); return; }
    char in[64], out[64], *i = strcpy(in, text), *o = out;
    size_t left = strlen(in), room = sizeof out;
    size_t r = iconv(cd, &i, &left, &o, &room);
    printf("%s -> %s:", from, to);
    for (char *p = out; p < o; p++) printf(" %02x", (unsigned char)*p);
    puts(r == (size_t)-1 ? errno == EILSEQ ? " (illegal)" : " (other error)" : "");
    iconv_close(cd);
}

int main(void)
{
    convert("UTF-16LE", "UTF-8", "é𝄞");
    convert("ISO-8859-1", "UTF-8", "café");
    convert("UTF-8", "ISO-8859-1", "na\xefve");
    convert("UTF-8", "UTF-8", "ok\xc3(");
    convert("ISO-8859-1", "UTF-8", "snow ☃");
    convert("NO-SUCH-CHARSET", "UTF-8", "");
    return 0;
}
