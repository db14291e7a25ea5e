// @benign locale_facets.cpp
// @what the environment's locale by name, one that is missing throws, facets of the program's own change numbers and booleans of one stream only
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=C C.UTF-8\nmissing locale refused\n1'234'567 9'876'543,21 ja nein\n1234567 1.5\n1234567 2.5 -1
#include <iomanip>
#include <iostream>
#include <locale>
#include <sstream>
#include <stdexcept>

struct Swiss : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '\''; }
    std::string do_grouping() const override { return "\3"; }
    std::string do_truename() const override { return "ja"; }
    std::string do_falsename() const override { return "nein"; }
};

int main()
{
    std::cout << std::locale().name() << ' ' << std::locale("").name() << '\n';
    try {
        std::locale missing("xx_YY.nothing");
        std::cout << "unexpected\n";
    } catch (const std::runtime_error &) {
        std::cout << "missing locale refused\n";
    }
    std::ostringstream s;
    s.imbue(std::locale(std::locale::classic(), new Swiss));
    s << 1234567 << ' ' << std::fixed << std::setprecision(2) << 9876543.215 << ' ' << std::boolalpha << true << ' '
        << false;
    std::cout << s.str() << "\n" << 1234567 << ' ' << 1.5 << '\n';
    std::istringstream in("1'234'567 2,5");
    in.imbue(s.getloc());
    long n;
    double d;
    in >> n >> d;
    std::cout << n << ' ' << d << ' ' << std::use_facet<std::collate<char>>(std::locale::classic()).compare("a", "a"
        + 1, "b", "b" + 1) << '\n';
}
