#include <iostream>
int main() { int a = 0, b = 0; if (!(std::cin >> a >> b)) { std::cerr << "no numbers\n"; return 2; } std::cout << a + b << "\n"; }
