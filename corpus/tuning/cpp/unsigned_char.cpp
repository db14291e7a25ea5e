// flags: -funsigned-char
#include <iostream>
#include <limits>
int main() { std::cout << (int)std::numeric_limits<char>::max() << (int)(char)-1 << "\n"; }
