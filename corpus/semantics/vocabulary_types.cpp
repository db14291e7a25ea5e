// @benign vocabulary_types.cpp
// @what optional, variant with visit, any, string_view, to_chars and from_chars, byte, clamp and gcd
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=42 -1 0\nint 7, double 2.5, string text\nbad_variant_access bad_any_cast bad_optional_access\nzoneinfo zone 0.1 beef 1.79769e+308\n10 12 12 15\nfound 2
#include <algorithm>
#include <any>
#include <charconv>
#include <cstddef>
#include <iostream>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

template <class... F> struct Overloaded : F... { using F::operator()...; };
template <class... F> Overloaded(F...) -> Overloaded<F...>;

static std::optional<int> number(std::string_view s)
{
    int n;
    auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n);
    if (error != std::errc() || end != s.data() + s.size()) return std::nullopt;
    return n;
}

int main()
{
    std::cout << number("42").value_or(-1) << ' ' << number("4x").value_or(-1) << ' '
        << number("99999999999").has_value() << '\n';
    using Value = std::variant<int, double, std::string>;
    for (const Value &v : {Value(7), Value(2.5), Value("text")})
        std::visit(Overloaded{[](int i) {
            std::cout << "int " << i;
        }, [](double d) {
            std::cout << ", double " << d;
        }, [](const std::string &s) { std::cout << ", string " << s << '\n'; }}, v);
    try {
        (void)std::get<int>(Value(1.0));
    } catch (const std::bad_variant_access &) {
        std::cout << "bad_variant_access ";
    }
    try {
        std::any_cast<int>(std::any(std::string("s")));
    } catch (const std::bad_any_cast &) {
        std::cout << "bad_any_cast ";
    }
    try { (void)number("").value(); } catch (const std::bad_optional_access &) { std::cout << "bad_optional_access\n"; }
    std::string_view path = "/usr/share/zoneinfo";
    path.remove_prefix(path.rfind('/') + 1);
    char text[64];
    auto shortest = std::to_chars(text, text + 64, 0.1);
    std::cout << path << ' ' << path.substr(0, 4) << ' ' << std::string_view(text, shortest.ptr - text) << ' ';
    auto hex = std::to_chars(text, text + 64, 48879, 16);
    double back;
    std::string exact = "1.7976931348623157e308";
    std::from_chars(exact.data(), exact.data() + exact.size(), back);
    std::cout << std::string_view(text, hex.ptr - text) << ' ' << back << '\n';
    std::cout << std::clamp(15, 0, 10) << ' ' << std::gcd(84, 36) << ' ' << std::lcm(4, 6) << ' '
        << std::to_integer<int>(std::byte{0xf0} >> 4) << '\n';
    std::map<int, int> m{{1, 2}};
    if (auto it = m.find(1); it != m.end()) std::cout << "found " << it->second << '\n';
}
