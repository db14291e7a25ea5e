// flags: -ftemplate-depth=40
#include <iostream>
template <int N> struct D { static const int v = D<N + 1>::v; };
int main() { std::cout << D<0>::v; }
