#include <iostream>
#include "t.hpp"
int other();
int main() { T<int>::n++; std::cout << T<int>::n + other() << &T<int>::instance() - T<int>::where() << "\n"; }
