#include <iostream>
inline int f() { return 1; }
int g();
int main() { std::cout << f() + g() << "\n"; }
