// flags: -g -Wall
#include <iostream>
int main() { std::cout << "x\n"; return 4; }
