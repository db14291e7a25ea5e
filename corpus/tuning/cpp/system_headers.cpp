// flags: -Wsystem-headers -Wall -Wextra -Wundef
#include <iostream>
int main() { std::cout << "x"; }
