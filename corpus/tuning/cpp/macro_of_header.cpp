#define private public
#include <iostream>
#include <sstream>
int main() { std::cout << "x\n"; }
