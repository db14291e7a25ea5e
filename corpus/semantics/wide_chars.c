// @benign wide_chars.c
// @what the environment's locale is UTF-8: multibyte conversion, wide classification and %ls work once the program asks for it
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=characters 17, last U+1D11E, four bytes are possible 1\nŽLUŤOUČKÝ KŮŇ ☃ 𝄞, 1 alphabetic, ŽLUŤ\n-2 1 U+1D11E, broken -1
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <wctype.h>

int main(void)
{
    const char *text = "Žluťoučký kůň ☃ 𝄞";
    wchar_t wide[64];
    if (!setlocale(LC_ALL, "")) return 1;
    size_t n = mbstowcs(wide, text, 64);
    printf("characters %zu, last U+%X, four bytes are possible %d\n", n, (unsigned)wide[n - 1], MB_CUR_MAX >= 4);
    for (size_t i = 0; i < n; i++) wide[i] = towupper(wide[i]);
    printf("%ls, %d alphabetic, %.6ls\n", wide, !!iswalpha(L'ř'), wide);
    mbstate_t state = {0};
    wchar_t one;
    /* The first three bytes of a character of four: incomplete, then complete. */
    size_t part = mbrtowc(&one, "\xf0\x9d\x84", 3, &state);
    size_t rest = mbrtowc(&one, "\x9e", 1, &state);
    printf("%d %zu U+%X, broken %d\n", (int)part, rest, (unsigned)one, (int)mbrtowc(&one, "\xff", 1, &state));
    return 0;
}
