// @benign wide_streams.cpp
// @what wcin and wcout with the locale of the environment: wide characters in and out as UTF-8
// @limits cpu=5 wall=10
// @stdin žluťoučký kůň 42 𝄞
// @expect exit=0
// @expect out=ŽLUŤOUČKÝ 3 42000 𝄞 1d11e\n☃1.5 4 1
#include <clocale>
#include <cwctype>
#include <iostream>
#include <locale>
#include <sstream>
#include <string>

int main()
{
    std::ios::sync_with_stdio(false);
    std::locale here("");
    std::locale::global(here);
    std::wcin.imbue(here);
    std::wcout.imbue(std::locale(here, new std::numpunct<wchar_t>));
    std::wstring a, b, c;
    int n;
    std::wcin >> a >> b >> n >> c;
    for (auto &ch : a) ch = std::towupper(ch);
    std::wcout << a << L' ' << b.size() << L' ' << n * 1000 << L' ' << c << L' ' << std::hex
        << static_cast<unsigned>(c[0]) << std::endl;
    std::wostringstream s;
    s << L"☃" << 1.5;
    std::wcout << s.str() << L' ' << s.str().size() << L' '
        << std::use_facet<std::ctype<wchar_t>>(here).is(std::ctype_base::alpha, L'ř') << std::endl;
    return !std::wcout;
}
