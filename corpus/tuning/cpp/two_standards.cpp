// flags: -std=c++20 -std=gnu++17
#include <iostream>
int main() { std::cout << __cplusplus << "\n"; }
