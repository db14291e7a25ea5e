#include "mine.hpp"
#include <iostream>
int main() { std::cout << NAME << "\n"; }
