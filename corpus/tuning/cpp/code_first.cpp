int before = 3;
#include <iostream>
int main() { std::cout << before << "\n"; }
