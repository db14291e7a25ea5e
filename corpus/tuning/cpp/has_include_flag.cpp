// flags: -DHI=__has_include
#if HI(<iostream.gch>)
#error "there is a precompiled one"
#endif
#include <iostream>
int main() { std::cout << "there\n"; }
