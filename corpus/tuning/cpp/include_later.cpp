// A comment, an empty line, and then

#include <iostream>
struct S {};
int main() { std::string s = S(); std::cout << s; }
