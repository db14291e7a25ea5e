#include <iostream>
struct B { B() { std::cout << "b\n"; } ~B() { std::cout << "~b\n"; } } b;
