// flags: -Wall -Wextra
#include <iostream>
static int unused() { return 1; }
int main(int argc, char **argv) { int x; unsigned u = 3; if (u > argc) std::cout << "?"; switch (argc) { case 1: std::cout << "1"; case 2: break; } return x = 0; }
