#if __has_\
include(<iostream.gch>)
#error "there is a precompiled one"
#endif
#include <iostream>
int main() { std::cout << "there\n"; }
