#include <stdio.h>
#include <wchar.h>
#include <locale.h>
int main(void) { setlocale(LC_ALL, ""); printf("%ls %d\n", L"gr\u00fc\u00dfe", (int)wcslen(L"\u65e5\u672c")); return 0; }
