// flags: -std=c++20
#include <iostream>
#include <concepts>
template <std::integral T> T half(T x) { return x / 2; }
int main() { std::cout << half(9) << half(2.5); }
