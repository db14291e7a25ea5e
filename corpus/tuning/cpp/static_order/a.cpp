#include <iostream>
struct C { C() { std::cout << "a\n"; } ~C() { std::cout << "~a\n"; } } c;
