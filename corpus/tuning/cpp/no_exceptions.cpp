// flags: -fno-exceptions
#include <iostream>
int main() { try { std::cout << "x"; } catch (...) {} }
