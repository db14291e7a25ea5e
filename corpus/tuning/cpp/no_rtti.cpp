// flags: -fno-rtti
#include <iostream>
struct A { virtual ~A() {} };
int main() { A a; std::cout << (dynamic_cast<void *>(&a) != nullptr); std::cout << typeid(a).name(); }
