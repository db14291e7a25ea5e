#pragma GCC poison printf
#include <iostream>
int main() { std::cout << "x\n"; }
