#include <iostream>
#include <cstdlib>
#include <new>
static int calls;
void *operator new(std::size_t n) { calls++; return std::malloc(n); }
void operator delete(void *p) noexcept { std::free(p); }
void operator delete(void *p, std::size_t) noexcept { std::free(p); }
int main() { delete new int; std::string s(100, 'x'); std::cout << calls << "\n"; }
