#include <iostream>
int value = 3;
int f();
int main() { std::cout << f(); }
