#include <iostream>
struct A { A() { std::cout << "main\n"; } } a;
int main() { std::cout << "begin\n"; }
