// flags: -fmax-errors=2
#include <iostream>
int main() { a; b; c; d; }
