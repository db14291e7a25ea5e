// flags: -Winvalid-pch
#include <vector>
#include <iostream>
int main() { std::cout << "x"; }
