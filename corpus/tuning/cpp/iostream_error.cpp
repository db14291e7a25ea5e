#include <iostream>
struct S {};
int main() { S s; std::cout << s << "\n"; }
