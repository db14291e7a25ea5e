// @benign stream_formats.cpp
// @what manipulators: width, fill, bases, scientific, hexadecimal floats, signs, quoted, money-like fixed numbers, state saved and put back
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=      42|42      |-*****42|\n0xff 0XBEEF 010\n1.235e+04 0x1.8p+0 +0.667\n12345.7 1e-07 1e+20 100000 1e+06 3.00000\ntrue inf -0 nan\n0.10000000000000001 0.1 0.333333\n"say \\"hi\\" \\\\" 1000000101 (1,-2) 0\n31 63 two words 1000\nAB65 C 98 1
#include <bitset>
#include <cmath>
#include <complex>
#include <iomanip>
#include <iostream>
#include <limits>
#include <sstream>

int main()
{
    std::cout << std::setw(8) << 42 << '|' << std::left << std::setw(8) << 42 << '|' << std::internal
        << std::setfill('*') << std::setw(8) << -42 << "|\n";
    std::cout << std::setfill(' ') << std::hex << std::showbase << 255 << ' ' << std::uppercase << 48879 << ' '
        << std::oct << 8 << std::dec << std::nouppercase << '\n';
    std::ios saved(nullptr);
    saved.copyfmt(std::cout);
    std::cout << std::scientific << std::setprecision(3) << 12345.678 << ' ' << std::hexfloat << 1.5 << ' '
        << std::fixed << std::showpos << 2.0 / 3 << '\n';
    std::cout.copyfmt(saved);
    std::cout << 12345.678 << ' ' << 1e-7 << ' ' << 1e20 << ' ' << 100000.0 << ' ' << 1000000.0 << ' '
        << std::showpoint << 3.0 << std::noshowpoint << '\n';
    std::cout << std::boolalpha << true << ' ' << std::numeric_limits<double>::infinity() << ' ' << -0.0 << ' '
        << std::nan("") << '\n';
    std::cout << std::setprecision(17) << 0.1 << ' ' << std::setprecision(6) << 0.1f << ' ' << 1.0L / 3 << '\n';
    std::cout << std::quoted("say \"hi\" \\") << ' ' << std::bitset<10>(517) << ' ' << std::complex<double>(1, -2)
        << ' ' << static_cast<void *>(nullptr) << '\n';
    std::istringstream in("0x1F 077 \"two words\" 1e3 on,off");
    int a, b;
    std::string s;
    double d;
    in >> std::hex >> a >> std::oct >> b >> std::quoted(s) >> d;
    std::cout << a << ' ' << b << ' ' << s << ' ' << d << '\n';
    char c = 65;
    unsigned char u = 66;
    std::cout << c << u << +c << ' ' << static_cast<signed char>(67) << ' ' << 'a' + 1 << ' ' << sizeof('a') << '\n';
}
