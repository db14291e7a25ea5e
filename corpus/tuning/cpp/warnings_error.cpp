// flags: -Wall -Werror
#include <iostream>
int main() { int unused; std::cout << "x"; }
