#include <iostream>
struct A { A(const char *s) { std::cout << s << "\n"; } };
A second __attribute__((init_priority(2000)))("2000");
A first __attribute__((init_priority(1000)))("1000");
A third("none");
int main() {}
