// @benign unicode_strings.cpp
// @what UTF-8, UTF-16 and UTF-32 literals and conversions, identifiers outside ASCII, raw strings, escapes
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=15 bytes, 8 points, 9 units\nlast 1d11e, pair d834 dd1e\n111\nraw "string" with \\n and )" kept 12\nnot UTF-8: range_error\n10 4 3
#include <codecvt>
#include <iostream>
#include <locale>
#include <string>

static std::string hex(unsigned long x)
{
    std::string s;
    for (; x; x /= 16) s.insert(s.begin(), "0123456789abcdef"[x % 16]);
    return s;
}

int main()
{
    const std::string text = u8"žluť ☃ 𝄞";
    std::wstring_convert<std::codecvt_utf8<char32_t>, char32_t> to32;
    std::wstring_convert<std::codecvt_utf8_utf16<char16_t>, char16_t> to16;
    std::u32string points = to32.from_bytes(text);
    std::u16string units = to16.from_bytes(text);
    std::cout << text.size() << " bytes, " << points.size() << " points, " << units.size() << " units\n";
    std::cout << "last " << hex(points.back()) << ", pair " << hex(units[units.size() - 2]) << ' ' << hex(units.back())
        << '\n';
    std::cout << (points == U"žluť ☃ 𝄞") << (units == u"\u017elu\u0165 \u2603 \U0001d11e")
        << (to32.to_bytes(points) == text) << '\n';
    int größe = 3, 変数 = 4;
    std::cout << R"x(raw "string" with \n and )" kept)x" << ' ' << größe * 変数 << '\n';
    try {
        to32.from_bytes("\xff");
    } catch (const std::range_error &e) {
        std::cout << "not UTF-8: range_error\n";
    }
    std::cout << std::string("nul\0inside", 10).size() << ' ' << sizeof(wchar_t) << ' ' << sizeof(u8"é") << '\n';
}
