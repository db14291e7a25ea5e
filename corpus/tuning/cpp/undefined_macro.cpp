// flags: -U__linux__
#include <iostream>
int main() {
#ifdef __linux__
std::cout << "linux\n";
#else
std::cout << "not\n";
#endif
}
