#include <bits/stdc++.h>
int main() { std::cout << std::regex_replace("a1b22", std::regex("[0-9]+"), "#"); std::cout << std::filesystem::path("/a/../b").lexically_normal(); std::mt19937 g(5); std::cout << g() << std::hex << std::setw(8) << 255 << std::gcd(12, 18) << std::hypot(3.0, 4.0) << "\n"; }
