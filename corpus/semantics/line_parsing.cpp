// @benign line_parsing.cpp
// @what numbers and lines mixed, Windows line ends, an empty line, bad input with recovery, a last line without newline
// @limits cpu=5 wall=10
// @stdin @hex:332034350d0a0d0a666972737420776f7264730a31302078797a2032300a6c617374
// @expect exit=0
// @expect out=48 rest 1\nempty but for 13\n"first" "words" \n10 0 failed 1\nxyz 20\nlast eof 1 fail 0\nfailure thrown, 1
#include <iomanip>
#include <iostream>
#include <limits>
#include <sstream>
#include <string>

int main()
{
    int a, b, c;
    std::string line;
    std::cin >> a >> b;
    std::getline(std::cin, line);
    std::cout << a + b << " rest " << line.size() << '\n';
    std::getline(std::cin, line);
    std::cout << "empty but for " << static_cast<int>(line[0]) << '\n';
    std::getline(std::cin, line);
    std::istringstream words(line);
    for (std::string w; words >> w;) std::cout << std::quoted(w) << ' ';
    std::cin >> a >> b;
    std::cout << '\n' << a << ' ' << b << " failed " << std::cin.fail() << '\n';
    std::cin.clear();
    std::cin >> line >> c;
    std::cin.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    std::cout << line << ' ' << c << '\n';
    std::getline(std::cin, line);
    std::cout << line << " eof " << std::cin.eof() << " fail " << std::cin.fail() << '\n';
    std::cin.exceptions(std::ios::failbit);
    try {
        std::cin >> a;
    } catch (const std::ios_base::failure &e) {
        std::cout << "failure thrown, " << (e.code() == std::io_errc::stream) << '\n';
    }
}
