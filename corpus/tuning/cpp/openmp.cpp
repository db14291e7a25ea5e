// flags: -fopenmp
#include <iostream>
int main() { int s = 0;
#pragma omp parallel for reduction(+ : s)
for (int i = 0; i < 10; i++) s += i;
std::cout << s << "\n"; }
