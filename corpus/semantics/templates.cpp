// @benign templates.cpp
// @what the default standard is gnu++17: fold expressions, if constexpr, deduction guides, CRTP, SFINAE, a sieve at compile time, tuples
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=[168][6][0][2880067194370816120]\n[integral 2][pointer][empty][1][0]\n[18][42]\n[1][x][y][3]
#include <array>
#include <iostream>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>
static_assert(__cplusplus == 201703L, "C++17");

template <int N> constexpr std::array<bool, N> sieve()
{
    std::array<bool, N> prime{};
    for (int i = 2; i < N; i++) prime[i] = true;
    for (int i = 2; i * i < N; i++) if (prime[i]) for (int j = i * i; j < N; j += i) prime[j] = false;
    return prime;
}
static constexpr auto primes = sieve<1000>();
static_assert(primes[997] && !primes[999]);

template <class... T> auto total(T... x) { return (x + ... + 0); }
template <class... T> void line(T &&...x) { ((std::cout << '[' << x << ']'), ...) << '\n'; }
template <class T> std::string kind(const T &x)
{
    if constexpr (std::is_integral_v<T>) return "integral " + std::to_string(x % 10);
    else if constexpr (std::is_pointer_v<T>) return "pointer";
    else return x.size() ? "sized" : "empty";
}
template <class T, class = void> struct has_size : std::false_type {};
template <class T> struct has_size<T, std::void_t<decltype(std::declval<T>().size())>> : std::true_type {};
template <class D> struct Shape { double doubled() const { return 2 * static_cast<const D *>(this)->area(); } };
struct Square : Shape<Square> {
    double side;
    explicit Square(double s) : side(s) {}
    double area() const { return side * side; }
};
template <class T> struct Box { T value; };
template <class T> Box(T) -> Box<T>;
template <unsigned N> struct Fib { static constexpr unsigned long value = Fib<N - 1>::value + Fib<N - 2>::value; };
template <> struct Fib<1> { static constexpr unsigned long value = 1; };
template <> struct Fib<0> { static constexpr unsigned long value = 0; };

int main()
{
    int count = 0;
    for (bool p : primes) count += p;
    line(count, total(1, 2, 3), total(), Fib<90>::value);
    line(kind(42), kind(+"text"), kind(std::string()), has_size<std::vector<int>>::value, has_size<int>::value);
    Box box{Square(3)};
    line(box.value.doubled(), std::apply([](auto... x) { return (x * ...); }, std::make_tuple(2, 3, 7)));
    auto [a, b, c] = std::tuple_cat(std::make_tuple(1), std::make_pair('x', "y"));
    line(a, b, c, std::tuple_size_v<decltype(std::tuple_cat(std::make_tuple(1, 2), std::make_tuple(3)))>);
}
