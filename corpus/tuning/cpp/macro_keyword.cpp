#define swap exchange_it
#include <iostream>
int main() { int exchange_it = 3; std::cout << swap << "\n"; }
